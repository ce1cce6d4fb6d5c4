"""What a command that removes saved entries shows before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal
from phicli.units import counted

_SHOWN: Final = 20


def agrees_to_remove(
    terminal: Terminal, noun: str, lines: Sequence[str], *, yes: bool, dry_run: bool, as_json: bool
) -> bool:
    """Show the ``lines``, one for each entry, and ask; with ``dry_run``, or when there are none, the answer is no.

    With ``dry_run`` they are data, on standard output.

    Raises:
        UsageError: nobody can answer here.
        UserInterruptError: Ctrl-C.
    """
    if not as_json:
        _show(terminal, lines, dry_run=dry_run)
    what = f"this {noun}" if len(lines) == 1 else f"these {counted(len(lines), noun)}"
    return not dry_run and bool(lines) and confirm(terminal, f"Remove {what}?", assume_yes=yes)


def print_removal(
    terminal: Terminal, noun: str, entries: Sequence[Mapping[str, Any]], *, done: bool, dry_run: bool, as_json: bool
) -> None:
    """Print the result of a command such as ``runs rm``, whose ``noun`` is ``run``; ``entries`` are the JSON data."""
    if as_json:
        print_result(terminal, f"{noun}s rm", {"dry_run": dry_run, "done": done, f"{noun}s": list(entries)})
    elif entries and not dry_run:
        terminal.say(f"removed {counted(len(entries), noun)}" if done else "nothing was removed")


def _show(terminal: Terminal, lines: Sequence[str], *, dry_run: bool) -> None:
    """All lines as data, or the first of many."""
    if not lines:
        terminal.say("nothing to remove")
        return
    if dry_run:
        for line in lines:
            terminal.write_line(line)
        return
    for line in lines[:_SHOWN]:
        terminal.say(line)
    if len(lines) > _SHOWN:
        terminal.say(f"and {len(lines) - _SHOWN:,} more; see all: --dry-run")
