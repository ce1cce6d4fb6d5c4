"""``phi sessions import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.model_names import complete_runnable
from phicli.commands.output_format import Json


def import_(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="File with messages; - reads standard input.", metavar="FILE", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name of the new session [default: the name in the file].",
                     show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model of the new session [default: the model in the file, else your default].",
                     autocompletion=complete_runnable, show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Save a conversation from a file as a new session: OpenAI messages, or a JSON export."""
    from phicli.commands.sessions.importing import model_for, read_import
    from phicli.commands.sessions.names import open_sessions
    from phicli.ui.sessions.transfer import print_imported
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    found = read_import(terminal, file)
    chosen = model_for(ctx, terminal, found.model, typed=model)
    saved = open_sessions(terminal).create(name or found.name, chosen, found.dialogue)
    print_imported(terminal, saved, as_json=as_json)
