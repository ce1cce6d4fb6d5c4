"""What ``phi engine list``, ``rm`` and ``use`` print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from phicli.kernels.listing import Row
from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes

_NAME, _KERNELS, _USED = Column("name"), Column("kernels"), Column("in use")
_BUILD, _PROCESSOR = Column("build", least=16), Column("processor", least=16)
_REASON: Final = Column("reason", least=20)
_LAYOUTS: Final = (
    (Column("name"), Column("build"), _KERNELS, Column("processor"), _USED, Column("reason")),
    (_NAME, _KERNELS, Column("processor"), _USED, _REASON),
    (_NAME, _KERNELS, _PROCESSOR, _USED, _REASON),
    (_NAME, _USED, _REASON),
    (Column("name", least=12), _USED, _REASON),
)


def print_kernels(terminal: Terminal, rows: Sequence[Row], worth_a_build: Callable[[], bool], *, as_json: bool) -> None:
    """A row for the kernels of the wheel and one for each build; and the command for a build that is worth it.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, "engine list", {"engines": [row_data(row) for row in rows]})
        return
    print_rows(terminal, _LAYOUTS, [_cells(row) for row in rows])
    if worth_a_build():
        terminal.say("to build kernels for this processor: phi engine build")


def agrees_to_remove(terminal: Terminal, row: Row, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Show the build that would be removed, and ask. With ``dry_run`` print it to standard output, and return False.

    Raises:
        UsageError: standard input is not a terminal.
        UserInterruptError: Ctrl-C.
    """
    if not as_json:
        line = f"{row.name}  {format_bytes(row.size_bytes)}  {row.folder}{'  in use' if row.in_use else ''}"
        (terminal.write_line if dry_run else terminal.say)(line)
    return not dry_run and confirm(terminal, f"Remove {row.name}?", assume_yes=yes)


def print_removal(terminal: Terminal, row: Row, *, done: bool, dry_run: bool, as_json: bool) -> None:
    """Print whether the build was removed."""
    if as_json:
        data = {"dry_run": dry_run, "done": done, "engine": row_data(row), "freed_bytes": row.size_bytes}
        print_result(terminal, "engine rm", data)
    elif not dry_run:
        terminal.say(f"removed; freed {format_bytes(row.size_bytes)}" if done else "nothing was removed")


def print_choice(terminal: Terminal, choice: str, rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the choice, and the kernels that are in use now."""
    used = next(row for row in rows if row.in_use)
    if as_json:
        print_result(terminal, "engine use", {"choice": choice, "engine": row_data(used)})
        return
    terminal.say(f"the choice {choice} is saved; in use now: {used.name} ({used.reason})")


def row_data(row: Row) -> dict[str, Any]:
    """The JSON of a row."""
    return {
        "name": row.name,
        "build": row.build,
        "kernels": row.variant,
        "processor": row.processor,
        "in_use": row.in_use,
        "reason": row.reason,
    }


def _cells(row: Row) -> dict[str, str]:
    data = row_data(row) | {"in use": "yes" if row.in_use else "no"}
    return {key: str(value) for key, value in data.items()}
