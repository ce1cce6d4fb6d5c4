"""Values and tables for spreadsheets (CSV) and for documents (Markdown): what they say, and nothing that they do."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from phicli.ui.tables import Column
from phicli.ui.terminal import BIDI, Terminal, one_line

Cell = str | int | float | bool | None

_FORMULA: Final = ("=", "+", "-", "@", "\t")
_CONTROL: Final = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\t"), ord("\n"), ord("\r")}
_CLEAN: Final = dict.fromkeys((*_CONTROL, *BIDI), 0xFFFD) | {ord("\r"): None}
_MARKDOWN: Final = re.compile(r"[\\|`*\[\]<>#~&$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")  # not the _ within a word


def harmless(cell: Cell) -> Cell:
    """``cell`` as a spreadsheet and whoever looks at the text of it can have it.

    A text that would be taken for a formula has an apostrophe before it. Control characters, which names of files can
    have, are shown instead of sent: to a terminal they are commands. Carriage returns go: readers of CSV take them for
    the end of a line, and its writers do not quote them.
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, str):
        return cell
    text = cell.translate(_CLEAN)
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_text(head: Iterable[str], records: Iterable[Iterable[Cell]], *, line_end: str = "\n") -> str:
    """A header and ``records`` as CSV, each cell :func:`harmless`."""
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator=line_end)
    writer.writerow(map(harmless, head))
    writer.writerows(map(harmless, record) for record in records)
    return page.getvalue()


def print_csv(terminal: Terminal, head: Iterable[str], records: Iterable[Iterable[Cell]]) -> None:
    """The same on standard output, with the line ends of RFC 4180.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    # On Windows, standard output makes the line ends itself.
    terminal.write(csv_text(head, records, line_end="\n" if sys.platform == "win32" else "\r\n"))


def markdown_table(columns: Sequence[Column], rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The lines of a table as GitHub shows it."""
    return [
        _record(column.title for column in columns),
        "|" + "|".join(" ---: " if column.right else " --- " for column in columns) + "|",
        *(_record(markdown_text(column.text(row)) for column in columns) for row in rows),
    ]


def markdown_text(text: str) -> str:
    """``text`` in a cell or an item of a list."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", one_line(text))


def _record(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
