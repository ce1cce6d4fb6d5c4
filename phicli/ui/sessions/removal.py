"""What ``phi sessions rm`` shows before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.sessions.session_list import info_lines
from phicli.ui.terminal import Terminal
from phicli.units import counted

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SessionInfo

_SHOWN: Final = 20


def agrees_to_remove(
    terminal: Terminal, sessions: Sequence[SessionInfo], *, yes: bool, dry_run: bool, as_json: bool
) -> bool:
    """Show ``sessions`` and ask; with ``dry_run``, or when there are none, the answer is no.

    With ``dry_run`` they are data, on standard output.

    Raises:
        UsageError: nobody can answer here.
        UserInterruptError: Ctrl-C.
    """
    if not as_json:
        _show(terminal, sessions, dry_run=dry_run)
    what = "this session" if len(sessions) == 1 else f"these {len(sessions):,} sessions"
    return not dry_run and bool(sessions) and confirm(terminal, f"Remove {what}?", assume_yes=yes)


def print_removal(
    terminal: Terminal, sessions: Sequence[SessionInfo], *, done: bool, dry_run: bool, as_json: bool
) -> None:
    """What came of it."""
    if as_json:
        data = {"dry_run": dry_run, "done": done, "sessions": [asdict(one) for one in sessions]}
        print_result(terminal, "sessions rm", data)
    elif sessions and not dry_run:
        terminal.say(f"removed {counted(len(sessions), 'session')}" if done else "nothing was removed")


def _show(terminal: Terminal, sessions: Sequence[SessionInfo], *, dry_run: bool) -> None:
    """A line for each of ``sessions``; of many that are not data only the first."""
    if not sessions:
        terminal.say("nothing to remove")
        return
    lines = info_lines(sessions)
    if dry_run:
        for line in lines:
            terminal.write_line(line)
        return
    for line in lines[:_SHOWN]:
        terminal.say(line)
    if len(lines) > _SHOWN:
        terminal.say(f"and {len(lines) - _SHOWN:,} more; see all: --dry-run")
