"""``phi remotes list``."""

from __future__ import annotations

from phicli.commands.output_format import Json


def list_(as_json: Json = False) -> None:
    """List the remotes with their addresses and where their keys are."""
    from phicli.paths import remotes_file
    from phicli.remotes.known import remotes
    from phicli.ui.remotes import print_remotes
    from phicli.ui.terminal import Terminal

    print_remotes(Terminal.current(), remotes_file(), remotes(), as_json=as_json)
