"""``phi data convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.data.options import Force, complete_format, complete_target
from phicli.commands.file_options import InputEncoding
from phicli.commands.output_format import Json
from phicli.commands.sessions.names import complete_session


def convert(
    file: Annotated[
        str | None,
        typer.Argument(help="File to convert, or - for standard input.", metavar="FILE", show_default=False),
    ] = None,
    source_format: Annotated[
        str | None,
        typer.Option(
            "--from", help="Format of the file [default: recognized].", autocompletion=complete_format,
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str, typer.Option("--to", help="Format to write.", autocompletion=complete_target)
    ] = "messages",
    output: Annotated[
        Path | None, typer.Option("--output", "--out", "-o", help="File to write [default: standard output].")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Column of a table with the question.", show_default=False)
    ] = None,
    assistant: Annotated[
        str | None, typer.Option("--assistant", help="Column of a table with the answer.", show_default=False)
    ] = None,
    system: Annotated[
        str | None,
        typer.Option("--system", "-s", help="System message for examples that have none.", show_default=False),
    ] = None,
    sessions: Annotated[
        list[str] | None,
        typer.Option(
            "--session", help="Convert this saved session instead of a file. Can be repeated.",
            autocompletion=complete_session, show_default=False,
        ),
    ] = None,
    input_encoding: InputEncoding = None,
    force: Force = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Convert training data from and to CSV, Alpaca, ShareGPT, OpenAI and other formats."""
    from phicli.commands.data.converting import convert_to
    from phicli.training_data.converting import ConvertOptions
    from phicli.training_data.findings import KEPT, SHOWN
    from phicli.training_data.tables import Columns
    from phicli.ui.terminal import Terminal
    from phicli.ui.training_data import print_converted

    terminal = Terminal.current()
    options = ConvertOptions(
        source_format, target, Columns(user, assistant), system, input_encoding or "utf-8", KEPT if as_json else SHOWN
    )
    made = convert_to(terminal, file, tuple(sessions or ()), options, output, force=force, as_json=as_json)
    print_converted(terminal, made, as_json=as_json)
