"""``phi data split``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.data.options import DataFile, Force
from phicli.commands.output_format import Json


def split(
    file: DataFile,
    validation: Annotated[
        str, typer.Option("--validation", help="Share or number of examples for validation, e.g. 0.1 or 200.")
    ] = "0.1",
    group_by: Annotated[
        str | None,
        typer.Option("--group-by", help="Keep examples with the same value of this key together.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Random seed: the same one makes the same split.")] = 0,
    training_output: Annotated[
        Path | None, typer.Option("--training-output", help="File to write [default: FILE with .train].")
    ] = None,
    validation_output: Annotated[
        Path | None, typer.Option("--validation-output", help="File to write [default: FILE with .validation].")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Split training data into a training and a validation file."""
    from phicli.commands.data.splitting import split_file
    from phicli.training_data.splitting import SplitOptions, read_amount
    from phicli.ui.terminal import Terminal
    from phicli.ui.training_data import print_split

    terminal = Terminal.current()
    share, count = read_amount(validation)
    options = SplitOptions(share, count, group_by, seed)
    made = split_file(terminal, file, (training_output, validation_output), options, force=force)
    print_split(terminal, made, as_json=as_json)
