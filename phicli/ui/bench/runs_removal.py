"""What ``phi runs rm`` shows before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phicli.records.history import Entry
from phicli.ui.bench.run_list import listed_data, rows_of
from phicli.ui.columns import aligned
from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal
from phicli.units import counted

_SHOWN: Final = 20
_COLUMNS: Final = ("run", "made", "kind", "model", "work", "result", "settings")


def agrees_to_remove(terminal: Terminal, entries: Sequence[Entry], *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Show ``entries`` and ask; with ``dry_run``, or when there are none, the answer is no.

    With ``dry_run`` they are data, on standard output.

    Raises:
        UsageError: nobody can answer here.
        UserInterruptError: Ctrl-C.
    """
    if not as_json:
        _show(terminal, entries, dry_run=dry_run)
    what = "this run" if len(entries) == 1 else f"these {len(entries)} runs"
    return not dry_run and bool(entries) and confirm(terminal, f"Remove {what}?", assume_yes=yes)


def print_removal(terminal: Terminal, entries: Sequence[Entry], *, done: bool, dry_run: bool, as_json: bool) -> None:
    """What came of it."""
    if as_json:
        runs = [listed_data(entry) for entry in entries]
        print_result(terminal, "runs rm", {"dry_run": dry_run, "done": done, "runs": runs})
    elif entries and not dry_run:
        terminal.say(f"removed {counted(len(entries), 'run')}" if done else "nothing was removed")


def _show(terminal: Terminal, entries: Sequence[Entry], *, dry_run: bool) -> None:
    """A line for each of ``entries``; of many that are not data only the first."""
    if not entries:
        terminal.say("nothing to remove")
        return
    cells = rows_of(entries)
    shown = [name for name in _COLUMNS if name != "settings" or any(row[name] for row in cells)]
    lines = aligned([[row[name] for name in shown] for row in cells])
    if dry_run:
        for line in lines:
            terminal.write_line(line)
        return
    for line in lines[:_SHOWN]:
        terminal.say(line)
    if len(lines) > _SHOWN:
        terminal.say(f"and {len(lines) - _SHOWN} more; see all: --dry-run")
