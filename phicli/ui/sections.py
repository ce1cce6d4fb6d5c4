"""A page of facts in sections, on a terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phicli.ui.canvas import safe_text, show
from phicli.ui.columns import aligned, clean
from phicli.ui.tables import wrapped
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, in this order; what is empty is left out.

    Args:
        title: the heading.
        block: text shown as it is, line by line.
        marked: pieces of ``block`` in a row, each with whether it is highlighted where there is color.
        facts: label and value.
        table: rows of equal length, the first of them the heads; ``right`` are its columns of numbers.
        points: sentences.
    """

    title: str
    marked: tuple[tuple[str, bool], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    right: tuple[int, ...] = ()
    points: tuple[str, ...] = ()

    @property
    def block(self) -> str:
        """The text of ``marked``."""
        return "".join(text for text, _ in self.marked)

    @property
    def empty(self) -> bool:
        """There is nothing to show."""
        return not (self.marked or self.facts or self.table or self.points)


def print_page(terminal: Terminal, title: str, sections: Sequence[Section]) -> None:
    """The page to standard output; empty sections are left out.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    shown = [section for section in sections if not section.empty]
    show(terminal, screen=lambda _: _rich(title, shown), plain=lambda: plain_lines(title, shown))


def plain_lines(title: str, sections: Sequence[Section]) -> Iterator[str]:
    """The page as lines of plain text; nothing is wrapped or cut."""
    yield clean(title)
    for section in sections:
        yield ""
        if section.title:
            yield section.title
        for line in _plain_body(section):
            yield f"{INDENT}{line}".rstrip()


def _plain_body(section: Section) -> Iterator[str]:
    if section.marked:
        yield from section.block.split("\n")
    if section.facts:
        width = max(len(label) for label, _ in section.facts)
        for label, value in section.facts:
            yield f"{label.ljust(width)}  {clean(value)}"
    if section.table:
        yield from aligned(section.table, right=section.right)
    for point in section.points:
        yield f"- {clean(point)}"


def _rich(title: str, sections: Sequence[Section]) -> Iterator[RenderableType]:
    yield safe_text(clean(title), "bold")
    for section in sections:
        yield safe_text("")
        if section.title:
            yield safe_text(section.title, "bold")
        yield from _rich_body(section)


def _rich_body(section: Section) -> Iterator[RenderableType]:
    from rich.padding import Padding

    if section.marked:
        text = safe_text("")
        for piece, highlighted in section.marked:
            text.append_text(safe_text(piece, "cyan" if highlighted else ""))
        yield Padding(text, (0, 0, 0, len(INDENT)))
    if section.facts:
        yield Padding(_grid([(label, value) for label, value in section.facts]), (0, 0, 0, len(INDENT)))
    if section.table:
        yield Padding(wrapped(section.table[0], section.table[1:], right=section.right), (0, 0, 0, len(INDENT)))
    if section.points:
        yield Padding(_grid([("-", point) for point in section.points]), (0, 0, 0, len(INDENT)))


def _grid(rows: Sequence[tuple[str, str]]) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0) if rows[0][0] != "-" else (0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(safe_text(label, "dim"), safe_text(clean(value)))
    return grid
