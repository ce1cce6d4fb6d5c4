"""``phi list``: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from phicli.hub.offline import how_to_get
from phicli.plan.overview import ModelRow, Overview, best_of
from phicli.ui.canvas import Canvas, safe_text, show
from phicli.ui.columns import aligned
from phicli.ui.tables import Column, Layout, fitted
from phicli.ui.terminal import Terminal
from phicli.units import format_about, format_bytes, format_count, format_tokens

if TYPE_CHECKING:
    from rich.console import RenderableType


PIPE_COLUMNS = (
    "NAME", "PARAMETERS", "ACTIVE", "CONTEXT", "QUANT", "SIZE", "INSTALLED", "CAPABILITIES",
    "LICENSE", "STRENGTH", "RUNS ON",
)  # fmt: skip
"""Up to CAPABILITIES no cell has a space inside, so ``awk '{print $6}'`` is the size."""

BUILT_IN = "built-in"


def print_models(
    terminal: Terminal, found: Overview, *, only_installed: bool = False, remotes: Sequence[str] = ()
) -> None:
    """The rows to standard output, and what to type next, and the names of ``remotes``, to standard error.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if found.rows:
        show(
            terminal,
            screen=lambda canvas: _tables(canvas, found.rows),
            plain=lambda: aligned([PIPE_COLUMNS, *map(_pipe_row, found.rows)], right=(1, 2, 3, 5)),
        )
    if only_installed and not found.rows:
        get = how_to_get("phi-4-mini", "one")
        terminal.say(f"no models are installed; {get}; or use the built-in one: phi chat tiny-phi")
    elif found.hidden:
        family = f" --family {found.family}" if found.family else ""
        terminal.say(f"{found.hidden} more models cannot run on this machine; see them: phi list --all{family}")
    if remotes:
        terminal.say(f"remotes: {', '.join(remotes)}; see the models of one: phi remotes test NAME")


_NAME = Column("name", least=26)
_PARAMETERS = Column("parameters", right=True)
_SHORT_PARAMETERS = Column("params", right=True)
_CONTEXT = Column("context", right=True)
_FILE = Column("best file")
_SIZE = Column("size", right=True)
_INSTALLED = Column("installed")
_HERE = Column("here")
_CAPABILITIES = Column("capabilities", least=16)
_LICENSE = Column("license", least=7)
_STRENGTH = Column("main strength", least=24)
_NARROW_STRENGTH = Column("main strength", least=16)
_RUNS_ON = Column("runs on", least=20)

_LAYOUTS = (
    (_NAME, _PARAMETERS, _CONTEXT, _FILE, _INSTALLED, _STRENGTH, _CAPABILITIES, _LICENSE),
    (_NAME, _PARAMETERS, _CONTEXT, _FILE, _INSTALLED, _STRENGTH, _CAPABILITIES),
    (_NAME, _PARAMETERS, _CONTEXT, _FILE, _INSTALLED, _STRENGTH),
    (_NAME, _SHORT_PARAMETERS, _CONTEXT, _SIZE, _HERE, _NARROW_STRENGTH),
    (_NAME, _SHORT_PARAMETERS, _CONTEXT, _SIZE, _HERE),
    (_NAME, _SHORT_PARAMETERS, _HERE),
)
_ELSEWHERE_LAYOUTS = (
    (_NAME, _PARAMETERS, _CONTEXT, _STRENGTH, _RUNS_ON),
    (_NAME, _SHORT_PARAMETERS, _CONTEXT, _RUNS_ON),
    (_NAME, _RUNS_ON),
)


def _tables(canvas: Canvas, rows: Sequence[ModelRow]) -> Iterator[RenderableType]:
    here = [row for row in rows if row.runs_here]
    elsewhere = [row for row in rows if not row.runs_here]
    if here:
        yield _table(canvas, here, _LAYOUTS)
    if elsewhere:
        heading = "Not supported by llama.cpp, and therefore not by phi:"
        yield safe_text(f"\n{heading}" if here else heading)
        yield _table(canvas, elsewhere, _ELSEWHERE_LAYOUTS)


def _table(canvas: Canvas, rows: Sequence[ModelRow], layouts: Sequence[Layout]) -> RenderableType:
    tick = "✓" if canvas.encodes("✓") else "*"
    return fitted(canvas, layouts, [_cells(row, tick) for row in rows], bold=[bool(row.installed) for row in rows])


def _cells(row: ModelRow, tick: str) -> dict[str, str]:
    """Title of a column → the row's text in it."""
    variant = row.variant
    built_in = variant is not None and variant.packaged_file is not None
    quants = _installed_quants(row)
    return {
        "name": row.id,
        "parameters": _parameters(row),
        "params": _parameters(row).replace(", ", "/").removesuffix(" active"),
        "context": _context(row) or "-",
        "best file": " ".join(part for part in _best(row) if part) or "-",
        "size": _best(row)[1] or "-",
        "installed": f"{tick} {', '.join(quants)}" if quants else "built in" if built_in else "",
        "here": tick if quants or built_in else "",
        "capabilities": " ".join(variant.capabilities) if variant else "",
        "license": variant.license if variant else "-",
        "main strength": (variant.strength or variant.title) if variant else "not in the catalog",
        "runs on": variant.runs_on if variant else "",
    }


def _pipe_row(row: ModelRow) -> tuple[str, ...]:
    """The cells under ``PIPE_COLUMNS``."""
    variant = row.variant
    quant, size = _best(row)
    here = ",".join(_installed_quants(row))
    if variant is None:
        unknown = ("", "", "not in the catalog", "llama.cpp")
        parameters = format_count(row.facts.parameters) if row.facts.parameters else ""
        return (_no_space(row.id), parameters, "", _context(row), quant, _no_space(size), here, *unknown)
    return (
        variant.id,
        format_count(variant.parameters),
        format_count(variant.active_parameters) if variant.active_parameters else "",
        _context(row),
        quant,
        _no_space(size),
        here or (BUILT_IN if variant.packaged_file else ""),
        ",".join(variant.capabilities),
        variant.license,
        variant.strength or variant.title,
        variant.runs_on,
    )


def _no_space(text: str) -> str:
    return text.replace(" ", "")


def _installed_quants(row: ModelRow) -> list[str]:
    return list(dict.fromkeys(model.quant or "file" for model in row.installed))


def _parameters(row: ModelRow) -> str:
    if row.facts.parameters is None:
        return "-"
    total = format_count(row.facts.parameters)
    active = row.variant.active_parameters if row.variant else None
    return f"{total}, {format_count(active)} active" if active else total


def _context(row: ModelRow) -> str:
    return format_tokens(row.facts.context_tokens) if row.facts.context_tokens else ""


def _best(row: ModelRow) -> tuple[str, str]:
    """Quantization and size of the file that ``phi chat`` would run, or that ``phi pull`` would fetch."""
    if row.installed:
        model = best_of(row.installed)
        return model.quant or "", format_bytes(model.size_bytes)
    if row.best is None:
        return "", ""
    if row.best.size_bytes is None:
        return row.best.quant, ""
    return row.best.quant, (format_bytes if row.best.size_is_exact else format_about)(row.best.size_bytes)
