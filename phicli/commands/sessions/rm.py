"""``phi sessions rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.sessions.names import session_argument


def rm(
    names: Annotated[list[str] | None, session_argument(several=True)] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", help="Remove all sessions that were last used before this age, e.g. 90d or 12w."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove sessions, and the KV caches that were saved for them."""
    from phicli.commands.sessions.names import open_sessions, remove_sessions, sessions_to_remove
    from phicli.ui.removal import agrees_to_remove, print_removal
    from phicli.ui.sessions.session_list import info_data, info_lines
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    sessions = open_sessions(terminal)
    found = sessions_to_remove(sessions, names or (), older_than)
    agreed = agrees_to_remove(terminal, "session", info_lines(found), yes=yes, dry_run=dry_run, as_json=as_json)
    if agreed:
        remove_sessions(sessions, found)
    print_removal(terminal, "session", info_data(found), done=agreed, dry_run=dry_run, as_json=as_json)
