"""``phi serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 11500,
    as_json: Json = False,
) -> None:
    """Answer OpenAI clients with the models on this machine."""
    from phicli.server.running import serve as run
    from phicli.server.types import LoadOptions
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()

    def say(address: str) -> None:
        if as_json:
            print_result(terminal, "serve", {"address": address})
        else:
            terminal.write_line(address)

    run(host, port, LoadOptions(), say)
