"""What ``phi sessions list`` prints: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from phicli.ui.columns import aligned
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SessionInfo

NOTHING_SAVED: Final = "no session has been saved yet; to start one: phi chat"
_HEADS: Final = ("NAME", "MODEL", "TURNS", "UPDATED", "TITLE")
_STEPS: Final = (
    (60 * 60, 60, "minute"), (24 * 60 * 60, 60 * 60, "hour"), (14 * 24 * 60 * 60, 24 * 60 * 60, "day"),
    (60 * 24 * 60 * 60, 7 * 24 * 60 * 60, "week"), (730 * 24 * 60 * 60, 2_629_800, "month"),
)  # fmt: skip
"""Up to how many seconds an age is counted in which unit, and the seconds of the unit."""
_YEAR_S: Final = 31_557_600


def print_list(terminal: Terminal, sessions: Sequence[SessionInfo], *, more: bool, as_json: bool) -> None:
    """A row for each of ``sessions``; ``more`` when there are older ones.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        from phicli.ui.envelope import print_result

        print_result(terminal, "sessions list", {"sessions": info_data(sessions), "more": more})
        return
    if not sessions:
        terminal.say(NOTHING_SAVED)
        return
    if terminal.stdout.isatty():
        _print_table(terminal, sessions)
    else:  # a script gets the time as it was recorded
        rows = [[one.name, one.model, f"{one.turns:,}", one.updated_at, one.title] for one in sessions]
        terminal.write("".join(f"{line}\n" for line in aligned([_HEADS, *rows], right=[2])))
    if more:
        terminal.say("older sessions exist; see them: phi sessions list --limit 1000")


def info_data(sessions: Sequence[SessionInfo]) -> list[dict[str, Any]]:
    """``sessions`` as ``--json`` has them."""
    return [asdict(one) for one in sessions]


def info_lines(sessions: Sequence[SessionInfo]) -> list[str]:
    """``sessions`` as aligned lines without heads, for a question or a notice."""
    now = datetime.now(UTC)
    return aligned([[one.name, one.model, _turns(one), age_of(one.updated_at, now), one.title] for one in sessions])


def age_of(time: str, now: datetime) -> str:
    """How long ago a time in ISO 8601 was: ``3 hours ago``; what is not a time stays as it is."""
    try:
        seconds = (now - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, OverflowError, TypeError):
        return time
    if seconds < 60:
        return "just now"
    size, unit = next(((size, unit) for limit, size, unit in _STEPS if seconds < limit), (_YEAR_S, "year"))
    count = int(seconds // size)
    return f"{count:,} {unit}{'' if count == 1 else 's'} ago"


def _print_table(terminal: Terminal, sessions: Sequence[SessionInfo]) -> None:
    from phicli.ui.tables import Column, print_rows

    now = datetime.now(UTC)
    rows = [_row(one, now) for one in sessions]
    name, model, turns = Column("name"), Column("model"), Column("turns", right=True)
    updated, title = Column("updated"), Column("title", least=24)
    layouts = (
        (name, model, turns, updated, title),
        (name, turns, updated, title),
        (name, turns, updated),
        (Column("name", least=16), updated),
    )
    print_rows(terminal, layouts, rows)


def _row(one: SessionInfo, now: datetime) -> dict[str, Any]:
    from phicli.ui.terminal import one_line

    cells = {
        "name": one.name,
        "model": one.model,
        "turns": f"{one.turns:,}",
        "updated": age_of(one.updated_at, now),
        "title": one.title,
    }
    return {key: one_line(text) for key, text in cells.items()}


def _turns(one: SessionInfo) -> str:
    return "1 turn" if one.turns == 1 else f"{one.turns:,} turns"
