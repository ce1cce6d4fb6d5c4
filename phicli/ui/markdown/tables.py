"""Tables: laid out when all rows are there."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Final

from phicli.ui.markdown.inline import parser, spans
from phicli.ui.markdown.styles import is_complete

_NARROWEST: Final = 6
"""Columns of the terminal for a column of the table; with fewer the rows are printed as they are."""
_BREAK: Final = re.compile(r"<br ?/?>", re.IGNORECASE)
"""How models write a line break in a cell."""


def laid_out(lines: Sequence[str], width: int, *, colour: bool) -> str | None:
    """The lines of a table; None where ``lines`` are not a table, or would lose text as a table.

    Args:
        lines: they begin with a vertical bar, behind the indentation of a list.
        width: columns of the terminal.
    """
    indent = min(len(line) - len(line.lstrip(" \t")) for line in lines)
    source = "".join(f"{line[indent:]}\n" for line in lines)
    width -= indent
    rows = _rows(source)
    if not rows or len(rows[0]) * _NARROWEST > width:
        return None
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    cells = [
        [Text.assemble(*((span.text, span.style) for span in spans(_BREAK.sub("\n", cell)))) for cell in row]
        for row in rows
    ]
    for head, justify in zip(cells[0], _alignments(source), strict=True):
        table.add_column(head, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in cells[1:]:
        table.add_row(*row)
    page = io.StringIO()
    system = "standard" if colour else None
    console = Console(file=page, width=width, color_system=system, force_terminal=colour, legacy_windows=False)  # type: ignore[arg-type]
    console.print(table)
    shown = page.getvalue()
    if not is_complete(_BREAK.sub("", source), shown):
        return None
    return "".join(f"{' ' * indent}{line}".rstrip() + "\n" for line in shown.splitlines())


def _rows(source: str) -> list[list[str]]:
    rows: list[list[str]] = []
    tokens = parser().parse(source)
    if not tokens or tokens[0].type != "table_open" or tokens[-1].type != "table_close":
        return []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.content)
    return rows


def _alignments(source: str) -> list[str]:
    heads = (token for token in parser().parse(source) if token.type == "th_open")
    return [str(token.attrs.get("style", "text-align:left")).removeprefix("text-align:") for token in heads]
