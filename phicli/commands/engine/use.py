"""``phi engine use``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json, complete_values


def use(
    choice: Annotated[
        str,
        typer.Argument(
            help="auto: native kernels if they are faster; native: native kernels, even if they are slower; wheel: the "
            "kernels that come with the engine.",
            metavar="{auto|native|wheel}",
            autocompletion=complete_values("auto", "native", "wheel"),
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Choose which kernels the engine uses from now on."""
    from phicli.kernels.listing import choose, rows
    from phicli.ui.engine.kernels import print_choice
    from phicli.ui.terminal import Terminal

    chosen = choose(choice)
    print_choice(Terminal.current(), chosen, rows(), as_json=as_json)
