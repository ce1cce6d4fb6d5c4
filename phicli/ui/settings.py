"""What ``phi config`` shows."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any, Final

from phicli.errors import PhiError
from phicli.settings.listing import Change, Listing, Row
from phicli.ui.envelope import print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal

_LIST: Final = "config list"
_KEY, _VALUE, _FROM = Column("key"), Column("value", least=16), Column("from", least=16)
_FLAG, _HELP = Column("option"), Column("help", least=30)
_SET: Final = ((_KEY, _VALUE, _FROM),)
_ALL: Final = ((_KEY, _VALUE, _FROM, _FLAG, _HELP), (_KEY, _VALUE, _HELP), (_KEY, _VALUE))


def print_listing(terminal: Terminal, listing: Listing, *, everything: bool, as_json: bool) -> None:
    """The settings on standard output; what is wrong, and the profiles, on standard error.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, _LIST, _listing_data(listing))
        return
    if listing.rows:
        print_rows(terminal, _ALL if everything else _SET, [_cells(row) for row in listing.rows])
    for problem in listing.problems:
        terminal.alarm("warning:", problem.message)
        terminal.say(f"  {problem.hint_for(_LIST)}")
    if listing.profiles:
        used = f"; {listing.profile} is used" if listing.profile else "; use one: phi --profile NAME COMMAND"
        terminal.say(f"profiles: {', '.join(listing.profiles)}{used}")
    if not listing.rows and not listing.problems:
        terminal.say(f"no settings in {listing.path}; see all settings: phi config list --all")


def print_row(terminal: Terminal, row: Row, *, as_json: bool) -> None:
    """The value of a setting, an empty line where there is none.

    Raises:
        PhiError: the value makes no sense.
        OutputClosedError: the reader has closed it.
    """
    if row.problem is not None:
        raise row.problem
    if as_json:
        print_result(terminal, "config get", _row_data(row))
        return
    terminal.write_line(_shown(row.value))
    if row.source == "default":
        terminal.say(f"{row.key} is not set" + ("" if row.value is None else ": this is the default"))


def print_change(terminal: Terminal, command: str, change: Change, *, as_json: bool) -> None:
    """What was changed: one line on standard error, and a line for each note."""
    if as_json:
        data = {"key": change.key, "value": change.value, "path": str(change.path), "notes": list(change.notes)}
        print_result(terminal, command, data)
        return
    done = "set in" if command.endswith(" set") else "removed from"
    value = "" if isinstance(change.value, dict) else f" = {_shown(change.value)}"
    terminal.say(f"{change.key}{value}: {done} {change.path}")
    for note in change.notes:
        terminal.alarm("note:", note)


def _cells(row: Row) -> dict[str, str]:
    source = row.source if row.source == "default" else row.place
    return {"key": row.key, "value": _shown(row.value), "from": source, "option": row.flag, "help": row.help}


def _listing_data(listing: Listing) -> dict[str, Any]:
    return {
        "path": str(listing.path),
        "profile": listing.profile or None,
        "profiles": list(listing.profiles),
        "settings": [_row_data(row) for row in listing.rows],
        "problems": [_problem_data(problem) for problem in listing.problems],
    }


def _row_data(row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "value": _plain(row.value),
        "source": row.source,
        "place": row.place or None,
        "option": row.flag,
        "variable": row.variable,
        "default": _plain(row.default),
        "help": row.help,
    }


def _problem_data(problem: PhiError) -> dict[str, str]:
    return {"message": problem.message, "hint": problem.hint_for(_LIST)}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value


def _shown(value: Any) -> str:
    """``value`` for people and scripts: a text as it is, ``true``, a list as JSON, an empty text for None."""
    if isinstance(value, list):
        return json.dumps([_plain(one) for one in value], ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
