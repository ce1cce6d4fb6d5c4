"""``phi sessions rename``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.sessions.names import Name


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(help="New name.", metavar="NEW", show_default=False)],
    as_json: Json = False,
) -> None:
    """Give a session another name."""
    from phicli.commands.sessions.names import open_sessions
    from phicli.ui.sessions.transfer import print_renamed
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    sessions = open_sessions(terminal)
    old = sessions.get(name).info
    sessions.rename(old.name, new)
    print_renamed(terminal, old.name, sessions.get(new).info, as_json=as_json)
