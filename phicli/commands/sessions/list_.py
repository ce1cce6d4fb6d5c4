"""``phi sessions list``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json


def list_(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, help="Maximum number of sessions, newest first.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """List the saved sessions."""
    from phicli.commands.sessions.names import open_sessions
    from phicli.ui.sessions.session_list import print_list
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    found = open_sessions(terminal).list(limit=limit + 1)
    print_list(terminal, found[:limit], more=len(found) > limit, as_json=as_json)
