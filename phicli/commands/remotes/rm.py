"""``phi remotes rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.remotes.arguments import complete_remote


def rm(
    names: Annotated[
        list[str],
        typer.Argument(help="Names of remotes.", metavar="NAME", autocompletion=complete_remote, show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Remove remotes. Their keys and the models there are not touched."""
    from phicli.commands.remotes.removing import remove_remotes
    from phicli.ui.remotes import print_removed
    from phicli.ui.terminal import Terminal

    removed, path = remove_remotes(names)
    print_removed(Terminal.current(), removed, path, as_json=as_json)
