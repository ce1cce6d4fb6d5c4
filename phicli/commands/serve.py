"""``phi serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json, was_typed
from phicli.commands.serve_elsewhere import Background, PrintUnit, Said, is_done_elsewhere, typed_words


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 11500,
    background: Background = False,
    print_unit: PrintUnit = False,
    as_json: Json = False,
) -> None:
    """Answer OpenAI clients with the models on this machine."""
    from phicli.supervisor.background import is_detached

    detached = is_detached()
    if not detached and is_done_elsewhere(ctx, background=background, print_unit=print_unit, as_json=as_json):
        return
    from phicli.server.running import serve as run
    from phicli.server.types import LoadOptions

    said = Said(detached=detached, as_json=as_json)
    tcp = port if was_typed(ctx, "port") or not detached else None
    run(host, tcp, LoadOptions(), said.ready, background=detached, command=typed_words(ctx), on_notice=said.notice)
