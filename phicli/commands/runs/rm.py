"""``phi runs rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json
from phicli.commands.runs.ids import complete_run


def rm(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Run ids or their beginnings, or last.", metavar="[RUN]...", show_default=False,
                       autocompletion=complete_run),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Remove all runs older than this, e.g. 90d, 12w or 36h.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Remove saved runs.

    After that, phi recommend no longer uses their speeds.
    """
    from phicli.commands.runs.ids import open_history
    from phicli.records.removal import runs_to_remove
    from phicli.ui.bench.run_list import listed_data, removal_lines
    from phicli.ui.removal import agrees_to_remove, print_removal
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    history = open_history(terminal)
    entries = runs_to_remove(history, runs or (), older_than)
    agreed = agrees_to_remove(terminal, "run", removal_lines(entries), yes=yes, dry_run=dry_run, as_json=as_json)
    if agreed:
        history.remove([entry.run_id for entry in entries])
    print_removal(terminal, "run", [*map(listed_data, entries)], done=agreed, dry_run=dry_run, as_json=as_json)
