"""``phi stop``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def stop(
    model: Annotated[str | None, typer.Argument(help="Model to let go of.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="End the server, too.")] = False,
    as_json: Json = False,
) -> None:
    """Let go of loaded models, or end phi serve."""
    from phicli.supervisor.client import ask
    from phicli.supervisor.place import place
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    ended = ask(place().socket, "POST", "/phi/stop", {"model": model, "all": everything})
    if as_json:
        print_result(Terminal.current(), "stop", ended)
