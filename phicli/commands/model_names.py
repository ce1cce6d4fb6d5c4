"""Completion of the names of models: for each command those that it can use. Files are the shell's own business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.catalog.types import Variant


def complete_runnable(incomplete: str) -> list[str]:
    """What ``phi chat`` can run: of the catalog what the engine runs, and what is on this machine."""
    from phicli.catalog.load import catalog

    variants = [one for one in catalog().variants if one.runs_here and (one.sources or one.packaged_file)]
    return _matching(incomplete, variants, _on_this_machine())


def complete_known(incomplete: str) -> list[str]:
    """What ``phi show`` can describe: the catalog, and what is on this machine."""
    from phicli.catalog.load import catalog

    return _matching(incomplete, catalog().variants, _on_this_machine())


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
