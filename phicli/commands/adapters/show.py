"""``phi adapters show``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.adapters.names import complete_adapter
from phicli.commands.output_format import Json


def show(
    name: Annotated[str, typer.Argument(help="Name of the adapter.", autocompletion=complete_adapter)],
    as_json: Json = False,
) -> None:
    """Show an adapter: its ranks, the matrices it changes, and the models it fits."""
    from phicli.adapters.description import describe
    from phicli.adapters.registry import require
    from phicli.ui.adapters.page import print_adapter
    from phicli.ui.terminal import Terminal

    print_adapter(Terminal.current(), describe(require(name)), as_json=as_json)
