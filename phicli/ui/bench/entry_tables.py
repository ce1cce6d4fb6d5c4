"""Tables of what an entry of the history has, and its values in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from phicli.ui.bench.headline import number
from phicli.ui.sections import INDENT, Section
from phicli.ui.terminal import one_line

_LONGEST_CELL: Final = 40
_GAP: Final = 2
_FEW: Final = 8
"""Rows that can be told one by one."""


def is_table(value: Any) -> bool:
    """Whether ``value`` is a list of objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def table_of(name: str, rows: Sequence[Mapping[str, Any]], width: int | None = None) -> tuple[Section, list[str]]:
    """The rows with the columns that have a value, and the names of those that there is no room for.

    Args:
        name: what the rows are called in the data.
        rows: at least one.
        width: columns of the terminal; None where lines can be as long as they like. A table that is wider is laid on
            its side; where that does not help, a few rows are told one by one, and of many the last columns are left
            out.
    """
    texts = {key: [text_of(row.get(key)) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    filled = {key: cells for key, cells in texts.items() if any(cell != "-" for cell in cells)}
    short = {
        key: (words_of(key), *map(one_line, cells))
        for key, cells in filled.items()
        if max(map(len, cells)) <= _LONGEST_CELL
    }
    numeric = {key for key in short if all(isinstance(row.get(key), (int, float, type(None))) for row in rows)}
    room = None if width is None else width - len(INDENT)
    section = _laid_out(title_of(name), short, numeric, room)
    return section, [key for key in filled if key not in short]


def _laid_out(title: str, columns: dict[str, tuple[str, ...]], numeric: set[str], room: int | None) -> Section:
    """The table of ``columns``, each with its head, in ``room``; what is left out of it is taken out of ``columns``."""
    rows = list(zip(*columns.values(), strict=True))
    if room is not None and _width(rows) > room:
        lying = tuple(columns.values())
        if _width(lying) <= room:
            return Section(title, table=lying, right=tuple(range(1, len(rows))))
        if len(rows) - 1 <= _FEW:
            return Section(title, facts=tuple(_told(rows[0], row) for row in rows[1:]))
        while len(columns) > 1 and _width(list(zip(*columns.values(), strict=True))) > room:
            columns.popitem()
        rows = list(zip(*columns.values(), strict=True))
    return Section(title, table=tuple(rows), right=tuple(place for place, key in enumerate(columns) if key in numeric))


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Columns of a terminal that a table takes."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def _told(heads: Sequence[str], row: Sequence[str]) -> tuple[str, str]:
    """A row as a fact: its first cell, and all others with what they are."""
    others = zip(heads[1:], row[1:], strict=True)
    return row[0], ", ".join(f"{head} {cell}" for head, cell in others if cell != "-")


def words_of(name: str) -> str:
    """The name of a value as people say it."""
    return one_line(name.replace("_", " "))


def title_of(name: str) -> str:
    """The same with a capital letter."""
    words = words_of(name)
    return words[:1].upper() + words[1:]


def text_of(value: Any) -> str:
    """A value of JSON in words."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return measured(value) or _listed(value) or json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return ", ".join(map(text_of, value))
    return str(value)


def _listed(value: Mapping[str, Any]) -> str | None:
    """``threads 2, repack no``; None for what has more in it than single values."""
    if any(isinstance(one, (Mapping, list)) for one in value.values()):
        return None
    return ", ".join(f"{words_of(name)} {text_of(one)}" for name, one in value.items())


def measured(value: Mapping[str, Any]) -> str | None:
    """``9.8 (stdev 0.07)``, ``0.9 (0.85 to 0.94)`` for what is a mean or an estimate; None for anything else."""
    middle = next((one for name in ("mean", "estimate", "value") if (one := number(value, name)) is not None), None)
    if middle is None:
        return None
    spread, low, high = (number(value, name) for name in ("stdev", "low", "high"))
    if low is not None and high is not None:
        return f"{_short(middle)} ({_short(low)} to {_short(high)})"
    return _short(middle) if spread is None else f"{_short(middle)} (stdev {_short(spread)})"


def _short(value: float) -> str:
    """Four digits, or all of those before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
