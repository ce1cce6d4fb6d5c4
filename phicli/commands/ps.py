"""``phi ps``."""

from __future__ import annotations

from phicli.commands.options import Json


def ps(as_json: Json = False) -> None:
    """List the models that phi serve keeps loaded."""
    from phicli.supervisor.client import ask
    from phicli.supervisor.place import place
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    state = ask(place().socket, "GET", "/phi/state")
    terminal = Terminal.current()
    if as_json:
        return print_result(terminal, "ps", state)
    return terminal.write_line(str(state))
