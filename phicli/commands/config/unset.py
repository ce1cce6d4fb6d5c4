"""``phi config unset``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.config.target import complete_set_key
from phicli.commands.options import Json


def unset(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            help="Setting or table in the settings file, e.g. profile.fast.", metavar="KEY",
            autocompletion=complete_set_key, show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:  # fmt: skip
    """Remove a setting from the settings file."""
    from phicli.commands.config.changing import unset_setting
    from phicli.commands.config.target import target
    from phicli.ui.settings import print_change
    from phicli.ui.terminal import Terminal

    print_change(Terminal.current(), "config unset", unset_setting(target(ctx, key)), as_json=as_json)
