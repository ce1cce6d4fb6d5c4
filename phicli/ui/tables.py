"""Tables: on a terminal the columns that fit, in a pipe all of them as aligned text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from phicli.ui.canvas import Canvas, safe_text, show
from phicli.ui.columns import aligned, clean
from phicli.ui.terminal import Terminal, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column on a terminal; with ``least`` it may be wrapped down to that many characters, where it is wider.

    ``key`` is where its texts are found, by default under the title.
    """

    title: str
    right: bool = False
    least: int = 0
    key: str = ""

    def text(self, row: Mapping[str, str]) -> str:
        """What ``row`` has in this column."""
        return row[self.key or self.title]


Layout = Sequence[Column]


def print_rows(
    terminal: Terminal,
    layouts: Sequence[Layout],
    rows: Sequence[Mapping[str, str]],
    *,
    above: Sequence[str] = (),
    below: Sequence[str] = (),
    below_style: str = "",
    plain: Layout | None = None,
) -> None:
    """A table of ``rows`` (at least one) to standard output, with lines above and below it.

    Args:
        terminal: where to.
        layouts: columns from wide to narrow; on a terminal the first that fits is taken.
        rows: the texts, by the keys of the columns.
        above: lines before the table, dim on a terminal.
        below: lines after it.
        below_style: how Rich shows the latter.
        plain: the columns in a pipe, by default those of the widest layout.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    before, after = [*map(one_line, above), *([""] if above else [])], [*([""] if below else []), *map(one_line, below)]

    def screen(canvas: Canvas) -> Iterator[RenderableType]:
        yield from (safe_text(line, "dim") for line in before)
        yield fitted(canvas, layouts, rows)
        yield from (safe_text(line, below_style) for line in after)

    show(terminal, screen=screen, plain=lambda: [*before, *plain_rows(plain or layouts[0], rows), *after])


def plain_rows(columns: Layout, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The table as aligned text: its heads in capitals, then a line for each row."""
    cells = [[column.title.upper() for column in columns], *([column.text(row) for column in columns] for row in rows)]
    return aligned(cells, right=[place for place, column in enumerate(columns) if column.right])


def wrapped(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> RenderableType:
    """A table on a terminal that keeps all of its columns, and wraps cells where it is narrow."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(safe_text(clean(cell) or "-") for cell in row))
    return table


def fitted(
    canvas: Canvas, layouts: Sequence[Layout], rows: Sequence[Mapping[str, str]], *, bold: Sequence[bool] = ()
) -> RenderableType:
    """A table of ``rows`` (at least one) in the first of ``layouts`` that fits, else in the last.

    ``bold`` tells for each row whether its first cell is.
    """
    from rich.table import Table

    columns = next((layout for layout in layouts if _needs(layout, rows) <= canvas.width), layouts[-1])
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, width in zip(columns, _widths(columns, rows, canvas.width), strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=width, overflow="fold")
    for place, row in enumerate(rows):
        style = "bold" if bold and bold[place] else ""
        table.add_row(*(safe_text(column.text(row), style if column is columns[0] else "") for column in columns))
    return table


def _needs(layout: Layout, rows: Sequence[Mapping[str, str]]) -> int:
    """Characters that a layout takes at least."""
    return sum(_least(column, rows) for column in layout) + _GAP * (len(layout) - 1)


def _widths(layout: Layout, rows: Sequence[Mapping[str, str]], width: int) -> list[int]:
    """Characters for each column: what it needs at least, and what is left goes round where it saves wrapping."""
    found = [_least(column, rows) for column in layout]
    spare = width - _needs(layout, rows)
    wished = [_natural(column, rows) for column in layout]
    while spare > 0 and found != wished:
        for place, wish in enumerate(wished):
            if spare > 0 and found[place] < wish:
                found[place] += 1
                spare -= 1
    return found


def _natural(column: Column, rows: Sequence[Mapping[str, str]]) -> int:
    from rich.cells import cell_len  # characters of East Asian scripts take two columns

    return max(cell_len(column.title), *(cell_len(column.text(row)) for row in rows))


def _least(column: Column, rows: Sequence[Mapping[str, str]]) -> int:
    natural = _natural(column, rows)
    return min(natural, column.least) if column.least else natural
