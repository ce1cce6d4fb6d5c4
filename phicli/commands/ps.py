"""``phi ps``."""

from __future__ import annotations

from phicli.commands.options import Json


def ps(as_json: Json = False) -> None:
    """List the models that phi serve keeps loaded."""
    from phicli.supervisor.looking import look
    from phicli.ui.serving import print_ps
    from phicli.ui.terminal import Terminal

    print_ps(Terminal.current(), look(), as_json=as_json)
