"""Runs in a form that other programs read: JSON lines, one JSON object, a table for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from phicli.records.history import Entry
from phicli.ui.bench.cells import csv_text
from phicli.ui.bench.run_columns import entry_records
from phicli.ui.bench.run_list import NOTHING_KEPT
from phicli.ui.envelope import SCHEMA, print_result
from phicli.ui.terminal import Terminal
from phicli.units import counted


def export_text(entries: Sequence[Entry], form: str) -> str:
    """``entries`` as ``jsonl``, ``json`` or ``csv``, with the end of its last line.

    ``csv`` has the columns of ``phi bench --csv`` (:mod:`phicli.ui.bench.run_columns`), and an apostrophe before texts
    that a spreadsheet would take for a formula.
    """
    return _WRITERS[form](entries)


def print_export(terminal: Terminal, text: str) -> None:
    """``text`` to standard output.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if text:
        terminal.write(text)
    else:
        terminal.say(NOTHING_KEPT)


def print_written(terminal: Terminal, count: int, path: Path, *, as_json: bool) -> None:
    """Say that ``count`` runs are in the file ``path`` now.

    Raises:
        OutputClosedError: the reader has closed standard output.
    """
    if as_json:
        print_result(terminal, "runs export", {"path": str(path), "count": count})
    else:
        terminal.say(f"{counted(count, 'run')} in {path}")


def _lines(entries: Sequence[Entry]) -> str:
    return "".join(_json(entry.to_data()) for entry in entries)


def _object(entries: Sequence[Entry]) -> str:
    data = {"runs": [entry.to_data() for entry in entries]}
    return _json({"schema": SCHEMA, "command": "runs export", "data": data})


def _json(value: Any) -> str:
    """Any encoding can carry it: all but ASCII is escaped."""
    return json.dumps(value) + "\n"


def _table(entries: Sequence[Entry]) -> str:
    columns, records = entry_records(entries)
    return csv_text(columns, ([record.get(name) for name in columns] for record in records)) if entries else ""


_WRITERS: Final[Mapping[str, Callable[[Sequence[Entry]], str]]] = {
    "jsonl": _lines,
    "text": _lines,
    "json": _object,
    "csv": _table,
}
