"""Runs as a table: with bars on a terminal, as aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from phicli.records.run import Run
from phicli.ui.bench.figures import Signs, bar, duration, rate, signs_of, with_spread
from phicli.ui.bench.run_facts import Shape, shape_of
from phicli.ui.canvas import Canvas, safe_text, show
from phicli.ui.tables import Column, Layout, fitted, plain_rows
from phicli.ui.terminal import Terminal, one_line
from phicli.units import format_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType


Row = Mapping[str, str]

_MODEL, _FOLDED = Column("model"), Column("model", least=12)
_SETTING: Final = Column("setting", least=12)
_SPEEDS: Final = (Column("prompt t/s", right=True), Column("decode t/s", right=True))
_COSTS: Final = (
    Column("accepted", right=True),
    Column("same text", right=True),
    Column("first token", right=True),
    Column("load", right=True),
    Column("memory", right=True),
    Column("anonymous", right=True),
    Column("cold", right=True),
    Column("tokens/J", right=True),
)
_BARS: Final = (32, 24, 16, 12, 8)
_FEWEST: Final = 3
"""Of the columns beside the speeds, those that are shown however narrow it is."""

_GAP: Final = 2
_CLOSE: Final = "~"
"""Begins the key of a text without spaces, for where it is narrow."""


def print_table(terminal: Terminal, runs: Sequence[Run], notes: Sequence[str] = ()) -> None:
    """The table of ``runs`` (at least one) on standard output, and ``notes`` below.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    signs, shape = signs_of(terminal.stdout), shape_of(runs)
    rows = rows_of(runs, shape, signs)
    below = ["", *map(one_line, notes)] if notes else []
    show(
        terminal,
        screen=lambda canvas: [*_screen(canvas, runs, rows, shape, signs), *map(safe_text, below)],
        plain=lambda: [*common_lines(shape, signs), "", *plain_rows(filled_columns(shape, rows), rows), *below],
    )


def common_lines(shape: Shape, signs: Signs) -> tuple[str, ...]:
    """What all runs have in common: the machine, then the conditions."""
    lines = (shape.machine, shape.conditions)
    return tuple(one_line(f" {signs.dot} ".join(line)) for line in lines if line)


def rows_of(runs: Sequence[Run], shape: Shape, signs: Signs) -> list[dict[str, str]]:
    """The texts of each run by the titles of the columns; empty where something was not measured."""
    return [_row(run, name, shape, signs) for run, name in zip(runs, shape.labels, strict=True)]


def filled_columns(shape: Shape, rows: Sequence[Row]) -> list[Column]:
    """The columns in which anything stands, none of them left out for want of space."""
    return [column for column in (_MODEL, *_varying(shape), *_SPEEDS, *_COSTS) if _filled(column, rows)]


def _row(run: Run, name: str, shape: Shape, signs: Signs) -> dict[str, str]:
    peak, energy = run.peak, run.tokens_per_joule
    measured = {
        "prompt t/s": with_spread(run.prompt_tps, signs),
        "decode t/s": with_spread(run.decode_tps, signs),
        "accepted": "" if run.accepted_share is None else f"{run.accepted_share:.0%}",
        "same text": _same_text(run),
        "first token": duration(run.ttft_ms.mean) if run.ttft_ms else "",
        "load": duration(run.load_ms),
        "cold": duration(run.cold_ttft_ms),
        "memory": format_bytes(peak.total_bytes) if peak else "",
        "anonymous": format_bytes(peak.anonymous_bytes) if peak and peak.anonymous_bytes is not None else "",
        "tokens/J": rate(energy.mean) if energy else "",
    }
    close = {_CLOSE + title: text.replace(" ", "") for title, text in measured.items()}
    facts = {fact.title: fact.cell(run) for fact in shape.varying}
    return {**facts, "model": one_line(name), "setting": shape.setting(run), **measured, **close}


def _same_text(run: Run) -> str:
    """``4 of 5``: answers that are the text without speculation."""
    compared = run.extra.get("compared_answers")
    return f"{run.extra.get('equal_answers')} of {compared}" if compared else ""


def _varying(shape: Shape) -> tuple[Column, ...]:
    return tuple(Column(fact.title, right=fact.right) for fact in shape.varying)


def _filled(column: Column, rows: Sequence[Row]) -> bool:
    return any(column.text(row) for row in rows)


def _screen(
    canvas: Canvas, runs: Sequence[Run], rows: Sequence[dict[str, str]], shape: Shape, signs: Signs
) -> Iterator[RenderableType]:
    """All on one line for each run, or, where that is too wide, the speeds and below them the rest."""
    best = _with_bars(runs, rows, signs)
    bold = [row is best and len(rows) > 1 for row in rows]
    speeds = [column for column in _SPEEDS if _filled(column, rows)]
    costs = [column for column in _COSTS if _filled(column, rows)]
    names = (_MODEL, *_varying(shape))
    whole = [(*names, *speeds, _bar(cells), *costs) for cells in _BARS]
    fits = next((layout for layout in whole if _width(layout, rows) <= canvas.width), None)
    one_model = len(set(shape.labels)) == 1 and bool(shape.varying)
    if fits is None and one_model:
        yield safe_text(rows[0]["model"], "bold")
    for line in common_lines(shape, signs):
        yield safe_text(line, "dim")
    for layouts in [[fits]] if fits else _narrow(_names(shape, one_model), speeds, costs, rows):
        yield safe_text("")
        yield _coloured(fitted(canvas, layouts, rows, bold=bold))


def _names(shape: Shape, one_model: bool) -> list[Layout]:
    """Columns that tell runs apart, the best first; the only model stands above the table."""
    varying = _varying(shape)
    if one_model:
        return [varying, (_SETTING,)]
    return [(_MODEL, *varying), (_FOLDED, *varying), (_FOLDED, _SETTING) if varying else (_FOLDED,)]


def _narrow(
    names: Sequence[Layout], speeds: Layout, costs: Layout, rows: Sequence[Row]
) -> tuple[list[Layout], list[Layout]]:
    """Layouts of the speeds and of the rest. Names are kept whole as long as anything else can go or be shorter."""
    close = [_close(column, rows) for column in speeds]
    rest = [_close(column, rows) for column in costs]
    fast: list[Layout] = []
    slow: list[Layout] = []
    for name in names:
        fast += [(*name, *shown, _bar(cells)) for shown in (speeds, close) for cells in _BARS]
        fast += [(*name, *speeds), (*name, *close)]
        slow += [(*name, *rest[:most]) for most in range(len(rest), min(len(rest), _FEWEST) - 1, -1)]
    return fast, slow


def _close(column: Column, rows: Sequence[Row]) -> Column:
    """``column`` without spaces in its texts; only its title may be wrapped."""
    key = _CLOSE + column.title
    least = max(*map(len, column.title.split()), *(len(row[key]) for row in rows))
    return Column(column.title, right=column.right, key=key, least=least)


def _bar(cells: int) -> Column:
    return Column("", key=f"bar {cells}")


def _with_bars(runs: Sequence[Run], rows: Sequence[dict[str, str]], signs: Signs) -> Row:
    """Add bars of all lengths to ``rows``, proportional to the best, whose row is returned."""
    decoding = any(run.decode_tps for run in runs)  # else bars show how fast the prompt is read
    speeds = [run.decode_tps if decoding else run.prompt_tps for run in runs]
    rates = [speed.mean if speed else 0.0 for speed in speeds]
    best = max(rates)
    for row, value in zip(rows, rates, strict=True):
        for cells in _BARS:
            row[f"bar {cells}"] = bar(value / best, cells, fine=signs.fine) if best else ""
    return rows[rates.index(best)]


def _width(layout: Layout, rows: Sequence[Row]) -> int:
    """Columns of the terminal that ``layout`` takes with nothing wrapped."""
    from rich.cells import cell_len

    widths = [max(cell_len(column.title), *(cell_len(column.text(row)) for row in rows)) for column in layout]
    return sum(widths) + _GAP * (len(widths) - 1)


def _coloured(table: RenderableType) -> RenderableType:
    """``table`` with its bars in color."""
    from rich.table import Table

    if isinstance(table, Table):
        for column in table.columns:
            if column.header == "":
                column.style = "cyan"
    return table
