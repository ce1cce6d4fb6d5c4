"""From the names that were typed to the files that are benched, and the adapters (LoRA) that are used with them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from phicli.adapters.registry import name_of
from phicli.adapters.typed import adapters_typed
from phicli.adapters.with_model import split_adapters
from phicli.catalog.display_name import with_adapters
from phicli.catalog.load import catalog
from phicli.catalog.resolve import known_by_name
from phicli.engine.leaving import digest
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.engine.types import Adapter
from phicli.errors import THIS_COMMAND, AmbiguousModelError, NotFoundError, PhiError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.names import whole_size
from phicli.paths import is_there
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.locate import LocatedModel, locate
from phicli.plan.tuned_here import known_sha256
from phicli.records.adapters import MeasuredAdapter
from phicli.records.run import Subject

TOY = "tiny-phi"
_NOTHING = f"no model is installed: measuring {TOY}, a toy model that shows only whether the engine works"


def subjects(
    models: Sequence[str],
    *,
    engine: str = DEFAULT_ENGINE,
    adapters: Sequence[Adapter] = (),
    tell: Callable[[str], None] | None = None,
) -> tuple[Subject, ...]:
    """What ``models`` name, each once, in that order; without names what is installed, else tiny-phi.

    Args:
        models: names as for ``phi chat``, with adapters behind them where they have some: ``MODEL+ADAPTER[:SCALE]``.
        engine: what will run them.
        adapters: that all of them get.
        tell: is told in words what was chosen where nothing was named, and which names mean
            a file that was there before.

    Raises:
        PhiError: a name means nothing on this machine (:func:`locate_with_adapters`), or the header of its file cannot
            be read.
        OSError: an adapter cannot be read.
    """
    say, measured = tell or (lambda _: None), cache(_measured)
    files: list[tuple[Subject, tuple[Adapter, ...]]]
    if models:
        typed = [locate_with_adapters(name, adapters) for name in models]
        files = [(_located(model, engine), used) for model, used in typed]
    else:
        files = [
            (_installed(model, engine), (*adapters,)) for model in installed_models(catalog()) if _runs_here(model)
        ]
        say(f"measuring the installed models: {', '.join(one.model for one, _ in files)}" if files else _NOTHING)
        files = files or [(_located(locate(TOY), engine), (*adapters,))]
    found = _told_apart([replace(one, adapters=tuple(map(measured, used))) for one, used in files])
    chosen: dict[tuple[object, ...], Subject] = {}
    for one in found:
        first = chosen.setdefault((one.path.resolve(), one.quant, *(used.mark for used in one.adapters)), one)
        if first is not one:
            names = [with_adapters(subject.model, subject.adapters) for subject in (one, first)]
            say(f"{names[0]} is the same file as {names[1]}: it is measured only once")
    return tuple(chosen.values())


def _told_apart(found: Sequence[Subject]) -> list[Subject]:
    """``found``, in which adapters in files of the same name are called by their paths."""
    paths: dict[str, set[Path]] = {}
    for adapter in (adapter for one in found for adapter in one.adapters):
        paths.setdefault(adapter.name, set()).add(adapter.path)

    def named(adapter: MeasuredAdapter) -> MeasuredAdapter:
        return adapter if len(paths[adapter.name]) == 1 else replace(adapter, name=str(adapter.path))

    return [replace(one, adapters=tuple(map(named, one.adapters))) for one in found]


def locate_with_adapters(typed: str, adapters: Sequence[Adapter] = ()) -> tuple[LocatedModel, tuple[Adapter, ...]]:
    """The file that ``typed`` means, and the adapters that it is used with.

    Args:
        typed: a model as :func:`~phicli.plan.locate.locate` takes it, with adapters behind it where it has some.
        adapters: that it gets as well, before those.

    Raises:
        PhiError: there is no such model or adapter, or an adapter is given twice.
    """
    name, words = split_adapters(typed, is_model)
    try:
        located = locate(name)
    except NotFoundError as error:
        if "," in name:
            error.hint = f"separate models with spaces: {THIS_COMMAND} {' '.join(map(shlex.quote, typed.split(',')))}"
        raise
    return located, adapters_typed(words, adapters) if words else tuple(adapters)


def is_model(name: str) -> bool:
    """Whether a model or a file on this machine is called ``name``."""
    try:
        return is_there(str(locate(name).path))
    except AmbiguousModelError:
        return True
    except PhiError:
        return False


def _measured(adapter: Adapter) -> MeasuredAdapter:
    path, known = adapter.path, name_of(adapter.path)
    name = path.name if known == str(path) else known
    return MeasuredAdapter(name, path, adapter.scale, path.stat().st_size, digest(path))


def _runs_here(model: InstalledModel) -> bool:
    variant = catalog().variant(model.variant_id)
    return variant is None or variant.runs_here


def _installed(model: InstalledModel, engine: str) -> Subject:
    header = read_header(model.path)
    name, _, quant = model.name.rpartition(":")
    whole = not name or quant.lower() != (model.quant or "").lower()
    return Subject(
        model=model.name if whole else name,
        quant=model.quant or header.quant,
        variant_id=model.variant_id,
        path=model.path,
        size_bytes=model.size_bytes,
        sha256=known_sha256(model.path),
        engine=engine,
    )


def _located(model: LocatedModel, engine: str) -> Subject:
    header = read_header(model.path)
    variant = model.variant or known_by_name(header.name)
    return Subject(
        model=model.name,
        quant=model.quant or header.quant,
        variant_id=variant.id if variant else None,
        path=model.path.absolute(),
        size_bytes=whole_size(model.path) or header.file_size_bytes,
        sha256=known_sha256(model.path),
        engine=engine,
    )
