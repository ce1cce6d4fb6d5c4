"""``phi runs show``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json
from phicli.commands.runs.ids import complete_run


def show(
    run: Annotated[
        str,
        typer.Argument(help="Run id or its beginning, or last.", metavar="RUN", autocompletion=complete_run),
    ],
    as_json: Json = False,
) -> None:
    """Show the details of one run."""
    from phicli.commands.runs.ids import open_history
    from phicli.ui.bench.runs import print_entry
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    print_entry(terminal, open_history(terminal).get(run), as_json=as_json)
