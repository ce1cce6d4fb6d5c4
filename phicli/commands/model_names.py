"""Completion of the names of models: for each command those that it can use. Files are the shell's own business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.catalog.types import Variant


def complete_usable(incomplete: str) -> list[str]:
    """What ``phi chat`` can ask: what the engine runs, and what remotes listed when they were last asked."""
    return _matching(incomplete, _runnable(), [*_on_this_machine(), *_on_remotes(incomplete)])


def complete_measured(incomplete: str) -> list[str]:
    """The same; behind the name of a model and a plus sign, the adapters."""
    from phicli.catalog.names import PLUS

    found = complete_usable(incomplete)
    model, plus, beginning = incomplete.rpartition(PLUS)
    if plus:
        from phicli.adapters.registry import registered

        names = [adapter.name for adapter in registered()]
        found += [f"{model}{PLUS}{name}" for name in names if name.lower().startswith(beginning.lower())]
    return found


def complete_runnable(incomplete: str) -> list[str]:
    """What runs on this machine: of the catalog what the engine runs, and what is on this machine."""
    return _matching(incomplete, _runnable(), _on_this_machine())


def complete_known(incomplete: str) -> list[str]:
    """What ``phi show`` can describe: the catalog, what is on this machine, and models of remotes."""
    from phicli.catalog.load import catalog

    return _matching(incomplete, catalog().variants, [*_on_this_machine(), *_on_remotes(incomplete)])


def complete_downloadable(incomplete: str) -> list[str]:
    """What ``phi pull`` can download: of the catalog what has files on the hub."""
    from phicli.catalog.load import catalog

    return _matching(incomplete, [one for one in catalog().variants if one.runs_here and one.sources], ())


def complete_here(incomplete: str) -> list[str]:
    """What ``phi rm`` can remove: what is on this machine, damaged or not."""
    return _matching(incomplete, (), _on_this_machine(usable=False))


def _matching(incomplete: str, variants: Iterable[Variant], local: Iterable[str]) -> list[str]:
    """Names that begin with ``incomplete``, in its case: models at first, their quantizations behind the colon."""
    names = [name for variant in variants for name in _names(variant)] + list(local)
    model, colon, _ = incomplete.partition(":")
    if colon:
        found = [name for name in names if name.lower().startswith(incomplete.lower())]
        return list(dict.fromkeys(model + _cased(name[len(model) :], incomplete) for name in found))
    models = dict.fromkeys(name.partition(":")[0] for name in names)
    return [incomplete + name[len(incomplete) :] for name in models if name.lower().startswith(incomplete.lower())]


def _runnable() -> list[Variant]:
    from phicli.catalog.load import catalog

    return [one for one in catalog().variants if one.runs_here and (one.sources or one.packaged_file)]


def _on_remotes(incomplete: str) -> list[str]:
    """Models of the remotes whose names ``incomplete`` may be the beginning of, or the name alone. None is asked."""
    from phicli.errors import PhiError
    from phicli.remotes.known import remotes
    from phicli.remotes.last_listed import models_of

    typed = incomplete.lower().partition("/")[0]
    try:
        known = [remote for remote in remotes() if remote.name.startswith(typed)]
    except PhiError:
        return []
    return [f"{remote.name}/{model}" for remote in known for model in models_of(remote) or ("",)]


def _names(variant: Variant) -> Iterator[str]:
    yield variant.id
    yield from (f"{variant.id}:{quant.lower()}" for quant in variant.quants)


def _on_this_machine(*, usable: bool = True) -> list[str]:
    """Every model on this machine as it is typed, a variant of the catalog by its id."""
    from phicli.errors import PhiError
    from phicli.hub.disk.inventory import inventory

    try:
        found = inventory()
    except (PhiError, OSError):
        return []
    return list(found.usable_names if usable else found.names)


def _cased(quant: str, incomplete: str) -> str:
    """``quant`` in capitals where such were typed."""
    typed = incomplete.partition(":")[2]
    return quant.upper() if typed.isupper() and not quant.lower().endswith(".gguf") else quant
