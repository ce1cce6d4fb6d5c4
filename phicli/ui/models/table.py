"""``phi list``: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from phicli.plan.overview import ModelRow, Overview, best_of
from phicli.ui.columns import aligned
from phicli.ui.terminal import Terminal
from phicli.units import format_about, format_bytes, format_count, format_tokens

if TYPE_CHECKING:
    from rich.console import RenderableType

    from phicli.ui.canvas import Canvas

PIPE_COLUMNS = (
    "NAME", "PARAMETERS", "ACTIVE", "CONTEXT", "QUANT", "SIZE", "INSTALLED", "CAPABILITIES",
    "LICENCE", "STRENGTH", "RUNS ON",
)  # fmt: skip
"""Up to CAPABILITIES no cell has a space inside, so ``awk '{print $6}'`` is the size."""

BUILT_IN = "built-in"


def print_models(terminal: Terminal, found: Overview, *, only_installed: bool = False) -> None:
    """The rows to standard output, and what to type next to standard error.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    if found.rows and terminal.stdout.isatty():
        from phicli.ui.canvas import Canvas

        canvas = Canvas(terminal)
        canvas.paint(_tables(canvas, found.rows))
    elif found.rows:
        lines = aligned([PIPE_COLUMNS, *map(_pipe_row, found.rows)], right=(1, 2, 3, 5))
        terminal.write("\n".join(lines) + "\n")
    if only_installed and not found.rows:
        terminal.say("nothing is installed; one model comes with phi: phi chat tiny-phi; get one: phi pull phi-4-mini")
    elif found.hidden:
        family = f" --family {found.family}" if found.family else ""
        terminal.say(f"{found.hidden} more cannot run here; with what can run them: phi list --all{family}")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column on a terminal; with ``least`` it may be wrapped down to that many characters, where it is wider."""

    title: str
    right: bool = False
    least: int = 0


_NAME = _Column("name", least=26)
_PARAMETERS = _Column("parameters", right=True)
_SHORT_PARAMETERS = _Column("params", right=True)
_CONTEXT = _Column("context", right=True)
_FILE = _Column("best file")
_SIZE = _Column("size", right=True)
_INSTALLED = _Column("installed")
_HERE = _Column("here")
_CAPABILITIES = _Column("capabilities", least=16)
_LICENCE = _Column("licence", least=7)
_STRENGTH = _Column("main strength", least=24)
_NARROW_STRENGTH = _Column("main strength", least=16)
_RUNS_ON = _Column("runs on", least=20)

_LAYOUTS = (
    (_NAME, _PARAMETERS, _CONTEXT, _FILE, _INSTALLED, _STRENGTH, _CAPABILITIES, _LICENCE),
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
_GAP = 2


def _tables(canvas: Canvas, rows: Sequence[ModelRow]) -> Iterator[RenderableType]:
    here = [row for row in rows if row.runs_here]
    elsewhere = [row for row in rows if not row.runs_here]
    if here:
        yield _table(canvas, here, _LAYOUTS)
    if elsewhere:
        from phicli.ui.canvas import safe_text

        heading = "Not with llama.cpp, so not with phi:"
        yield safe_text(f"\n{heading}" if here else heading)
        yield _table(canvas, elsewhere, _ELSEWHERE_LAYOUTS)


def _table(canvas: Canvas, rows: Sequence[ModelRow], layouts: Sequence[Sequence[_Column]]) -> RenderableType:
    from rich.table import Table

    from phicli.ui.canvas import safe_text

    tick = "✓" if canvas.encodes("✓") else "*"
    texts = [_cells(row, tick) for row in rows]
    columns = next((layout for layout in layouts if _needs(layout, texts) <= canvas.width), layouts[-1])
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, width in zip(columns, _widths(columns, texts, canvas.width), strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=width, overflow="fold")
    for row, text in zip(rows, texts, strict=True):
        style = "bold" if row.installed else ""
        table.add_row(*(safe_text(text[column.title], style if column is _NAME else "") for column in columns))
    return table


def _needs(layout: Sequence[_Column], texts: Sequence[dict[str, str]]) -> int:
    """Characters that a layout takes at least."""
    return sum(_least(column, texts) for column in layout) + _GAP * (len(layout) - 1)


def _widths(layout: Sequence[_Column], texts: Sequence[dict[str, str]], width: int) -> list[int]:
    """Characters for each column: what it needs at least, and what is left goes round where it saves wrapping."""
    found = [_least(column, texts) for column in layout]
    spare = width - _needs(layout, texts)
    wished = [_natural(column, texts) for column in layout]
    while spare > 0 and found != wished:
        for place, wish in enumerate(wished):
            if spare > 0 and found[place] < wish:
                found[place] += 1
                spare -= 1
    return found


def _natural(column: _Column, texts: Sequence[dict[str, str]]) -> int:
    return max(len(column.title), *(len(text[column.title]) for text in texts))


def _least(column: _Column, texts: Sequence[dict[str, str]]) -> int:
    natural = _natural(column, texts)
    return min(natural, column.least) if column.least else natural


def _cells(row: ModelRow, tick: str) -> dict[str, str]:
    """Title of a column → the row's text in it."""
    variant = row.variant
    built_in = variant is not None and variant.packaged_file is not None
    quants = _installed_quants(row)
    return {
        "name": row.id,
        "parameters": _parameters(row),
        "params": _parameters(row).replace(", ", "/").removesuffix(" active"),
        "context": format_tokens(variant.context_tokens) if variant else "-",
        "best file": " ".join(part for part in _best(row) if part) or "-",
        "size": _best(row)[1] or "-",
        "installed": f"{tick} {', '.join(quants)}" if quants else "built in" if built_in else "",
        "here": tick if quants or built_in else "",
        "capabilities": " ".join(variant.capabilities) if variant else "",
        "licence": variant.license if variant else "-",
        "main strength": (variant.strength or variant.title) if variant else "not in the catalogue",
        "runs on": variant.runs_on if variant else "",
    }


def _pipe_row(row: ModelRow) -> tuple[str, ...]:
    """The cells under ``PIPE_COLUMNS``."""
    variant = row.variant
    quant, size = _best(row)
    here = ",".join(_installed_quants(row))
    if variant is None:
        unknown = ("", "", "not in the catalogue", "llama.cpp")
        return (_no_space(row.id), "", "", "", quant, _no_space(size), here, *unknown)
    return (
        variant.id,
        format_count(variant.parameters),
        format_count(variant.active_parameters) if variant.active_parameters else "",
        format_tokens(variant.context_tokens),
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
    if row.variant is None:
        return "-"
    total = format_count(row.variant.parameters)
    active = row.variant.active_parameters
    return f"{total}, {format_count(active)} active" if active else total


def _best(row: ModelRow) -> tuple[str, str]:
    """Quantisation and size of the file that ``phi chat`` would run, or that ``phi pull`` would fetch."""
    if row.installed:
        model = best_of(row.installed)
        return model.quant or "", format_bytes(model.size_bytes)
    if row.best is None:
        return "", ""
    if row.best.size_bytes is None:
        return row.best.quant, ""
    return row.best.quant, (format_bytes if row.best.size_is_exact else format_about)(row.best.size_bytes)
