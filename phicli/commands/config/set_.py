"""``phi config set``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.config.target import Key, complete_value
from phicli.commands.options import Json


def set_(
    ctx: typer.Context,
    key: Key,
    values: Annotated[
        list[str],
        typer.Argument(
            help="New value; put -- before a value that begins with -.",
            metavar="VALUE",
            autocompletion=complete_value,
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Set the value of a setting."""
    from phicli.commands.config.changing import set_setting
    from phicli.commands.config.target import target
    from phicli.ui.settings import print_change
    from phicli.ui.terminal import Terminal

    print_change(Terminal.current(), "config set", set_setting(target(ctx, key), values), as_json=as_json)
