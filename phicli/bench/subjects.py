"""From the names that were typed to the files that are benched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from phicli.catalog.load import catalog
from phicli.catalog.resolve import known_by_name
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.gguf_file.header import read_header
from phicli.gguf_file.names import whole_size
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.locate import LocatedModel, locate
from phicli.plan.tuned_here import known_sha256
from phicli.records.run import Subject

TOY = "tiny-phi"


def subjects(
    models: Sequence[str], *, engine: str = DEFAULT_ENGINE, tell: Callable[[str], None] | None = None
) -> tuple[Subject, ...]:
    """What ``models`` name, each once, in that order; without names what is installed, else tiny-phi.

    Args:
        models: names as for ``phi chat``.
        engine: what will run them.
        tell: is told in words what was chosen where nothing was named, and which names mean
            a file that was there before.

    Raises:
        PhiError: a name means nothing on this machine (:func:`phicli.plan.locate.locate`), or the header of its file
            cannot be read.
    """
    say = tell or (lambda _: None)
    if models:
        found = [_located(locate(name), engine) for name in models]
    else:
        found = [_installed(model, engine) for model in installed_models(catalog()) if _runs_here(model)]
        say(f"measuring the installed models: {', '.join(one.model for one in found)}" if found else _NOTHING)
        found = found or [_located(locate(TOY), engine)]
    chosen: dict[tuple[Path, str | None], Subject] = {}
    for one in found:
        first = chosen.setdefault((one.path.resolve(), one.quant), one)
        if first is not one:
            say(f"{one.model} is the same file as {first.model}: it is measured only once")
    return tuple(chosen.values())


_NOTHING = f"no model is installed: measuring {TOY}, a toy model that shows only whether the engine works"


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
