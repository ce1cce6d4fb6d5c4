"""Values in tables for spreadsheets."""

from __future__ import annotations

from typing import Final

from phicli.ui.terminal import BIDI

Cell = str | int | float | bool | None

_FORMULA: Final = ("=", "+", "-", "@", "\t")
_CONTROL: Final = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\t"), ord("\n"), ord("\r")}
_CLEAN: Final = dict.fromkeys((*_CONTROL, *BIDI), 0xFFFD) | {ord("\r"): None}


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
