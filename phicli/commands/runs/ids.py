"""The history for the commands of ``phi runs``; ids of runs: their completion, and which are meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.records.history import Entry, History
    from phicli.ui.terminal import Terminal

_OFFERED = 50
_WAIT_S = 0.2
"""Nobody who presses Tab waits for longer."""


def complete_run(incomplete: str) -> list[str]:
    """``last`` and the newest ids that begin with ``incomplete``; none where the history cannot be read."""
    from phicli.errors import PhiError
    from phicli.records.history import LAST, History

    try:
        known = [LAST, *(entry.run_id for entry in History(wait_s=_WAIT_S).entries(limit=_OFFERED))]
    except (PhiError, OSError):
        return []
    return [name for name in known if name.startswith(incomplete.lower())]


def open_history(terminal: Terminal) -> History:
    """The history; speeds that an earlier version of phi left in files are moved into it, and that is said."""
    from phicli.records.history import History
    from phicli.records.old_measurements import take_over

    history = History()
    if notice := take_over(history).notice:
        terminal.say(notice)
    return history


def chosen(history: History, runs: Sequence[str]) -> tuple[Entry, ...]:
    """The entries that are meant by ``runs`` in that order, each once; without any, all of them, the oldest first.

    Raises:
        NotFoundError, UsageError, IntegrityError, OSError: as for :meth:`phicli.records.history.History.get`.
    """
    return history.get_all(runs) if runs else history.entries()[::-1]
