"""What ``phi runs list`` prints: a table on a terminal, aligned columns in a pipe.

What tells the rows apart is never left out, however narrow it is: columns in which all rows are alike go first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from phicli.catalog.display_name import name_of, with_adapters
from phicli.engine.settings import FIELDS, value_text
from phicli.records.history import Entry
from phicli.ui.bench.headline import headline, work_of
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.tables import Column, Layout, print_rows
from phicli.ui.terminal import Terminal, one_line
from phicli.units import counted

NOTHING_KEPT: Final = "no run has been saved yet; to save one: phi bench"
COLUMNS: Final = ("run", "made", "kind", "model", "work", "result", "engine", "processor", "settings")
_DROPPED_FIRST: Final = ("processor", "engine", "settings", "work", "made")
"""Columns to leave out where all rows are alike in them, in this order; the time may go all the same, because the
rows are in its order."""
_WHAT: Final = Column("what", least=16)
"""All that tells rows apart in one column, where there is no space for several."""
_LEAST: Final = {"model": 16, "result": 15, "engine": 12, "processor": 12, "settings": 12, "work": 10}
"""Characters that a column needs at least; longer texts are wrapped."""
_OF_EVALUATIONS: Final = ("temperature", "seed", "max_tokens", "system")
_LONGEST: Final = 30
_BEFORE_REMOVAL: Final = ("run", "made", "kind", "model", "work", "result", "settings")


def print_list(
    terminal: Terminal, entries: Sequence[Entry], *, more: bool, as_json: bool, narrowed: bool = False
) -> None:
    """A row for each of ``entries``; ``more`` when there are older ones, ``narrowed`` when only some were asked for.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        print_result(terminal, "runs list", {"runs": [listed_data(entry) for entry in entries], "more": more})
        return
    if not entries:
        terminal.say("no saved run matches; see all: phi runs list" if narrowed else NOTHING_KEPT)
        return
    rows = rows_of(entries, local_time=terminal.stdout.isatty())  # a script gets the time as it was recorded
    print_rows(terminal, _layouts(rows), rows, plain=[Column(title) for title in COLUMNS])
    if more:
        terminal.say("older runs exist; see them: phi runs list --limit 1000")


def removal_lines(entries: Sequence[Entry]) -> list[str]:
    """``entries`` as aligned lines without heads, for a question."""
    cells = rows_of(entries)
    shown = [name for name in _BEFORE_REMOVAL if name != "settings" or any(row[name] for row in cells)]
    return aligned([[row[name] for name in shown] for row in cells])


def listed_data(entry: Entry) -> dict[str, Any]:
    """An entry in ``phi runs list --json``: of the data, which can be long, only settings and adapters."""
    return {name: value for name, value in entry.to_data().items() if name != "data"} | {
        "work": work_of(entry),
        "result": headline(entry),
        "settings": entry.data.get("settings"),
        "adapters": [adapter.to_data() for adapter in entry.adapters],
    }


def rows_of(entries: Sequence[Entry], *, local_time: bool = False) -> list[dict[str, str]]:
    """Title of a column → the text of each of ``entries`` in it, on one line.

    ``settings`` are those in which the entries differ. Files that would have the same name have their path.
    """
    differing = _differing([_settings(entry) for entry in entries])
    paths: dict[str, set[str]] = {}
    for entry in entries:
        paths.setdefault(name_of(entry), set()).add(_path(entry))
    rows = [_row(entry, differing, several=len(paths[name_of(entry)]) > 1, local=local_time) for entry in entries]
    alike = {title for title in _DROPPED_FIRST if len({row[title] for row in rows}) == 1}
    apart = [title for title in ("work", "settings", "engine", "processor") if title not in alike]
    for row in rows:
        row[_WHAT.title] = ", ".join([f"{row['kind']} {row['model']}", *(row[title] for title in apart if row[title])])
    return rows


def _row(entry: Entry, differing: Sequence[str], *, several: bool, local: bool) -> dict[str, str]:
    settings = _settings(entry)
    cells = {
        "run": entry.run_id,
        "made": _local(entry.made_at) if local else entry.made_at,
        "kind": entry.kind,
        "model": with_adapters(path, entry.adapters) if several and (path := _path(entry)) else name_of(entry),
        "work": work_of(entry),
        "result": headline(entry),
        "engine": entry.build if entry.build.startswith(entry.engine) else f"{entry.engine} {entry.build}".strip(),
        "processor": entry.cpu,
        "settings": ", ".join(_phrase(name, settings[name]) for name in differing if name in settings),
    }
    return {title: one_line(text) for title, text in cells.items()}


def _layouts(rows: Sequence[Mapping[str, str]]) -> list[Layout]:
    """Columns from wide to narrow: those go first in which all rows are alike, then texts are wrapped."""
    alike = [title for title in _DROPPED_FIRST if title == "made" or len({row[title] for row in rows}) == 1]
    steps = [[title for title in COLUMNS if any(row[title] for row in rows)]]
    for title in alike:
        if title in steps[-1]:
            steps.append([one for one in steps[-1] if one != title])
    return [
        *([Column(title) for title in step] for step in steps),
        *([Column(title, least=_LEAST.get(title, 0)) for title in step] for step in steps[-2:]),
        [Column("run"), _WHAT, Column("result", least=_LEAST["result"])],
        [Column("run"), _WHAT],
    ]


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the settings that do not have the same value wherever they have one."""
    names = (*FIELDS, *_OF_EVALUATIONS)
    values = {name: {json.dumps(one[name]) for one in settings if name in one} for name in names}
    return [name for name in names if len(values[name]) > 1]


def _settings(entry: Entry) -> Mapping[str, Any]:
    found = entry.data.get("settings")
    return found if isinstance(found, Mapping) else {}


def _phrase(name: str, value: Any) -> str:
    if name == "threads":
        return counted(value, "thread") if isinstance(value, int) else ""
    if name in FIELDS:
        return f"{FIELDS[name].short} {value_text(value)}"
    return f"{name.replace('_', ' ')} {value}"[:_LONGEST]


def _path(entry: Entry) -> str:
    path = entry.data.get("path")
    return path if isinstance(path, str) else ""


def _local(made_at: str) -> str:
    """The time on this machine's clock: ``2026-11-22 21:40``; what is not a time stays as it is."""
    try:
        return datetime.fromisoformat(made_at).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return made_at
