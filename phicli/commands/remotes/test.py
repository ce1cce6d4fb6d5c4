"""``phi remotes test``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.remotes.arguments import Name, complete_model


def test(
    name: Name,
    model: Annotated[
        str | None,
        typer.Argument(
            help="Model to ask a short question [default: the only one].",
            metavar="MODEL",
            autocompletion=complete_model,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Test a remote: reach it, list its models, and ask one of them a short question."""
    from phicli.commands.remotes.testing import test_remote
    from phicli.ui.remotes import print_checked
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    print_checked(terminal, test_remote(terminal, name, model, as_json=as_json), as_json=as_json)
