"""``phi config list``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def list_(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", "-a", help="List all settings with their defaults.")] = False,
    as_json: Json = False,
) -> None:
    """List the current settings with their values and sources."""
    from phicli.commands.config.effective_value import listing
    from phicli.ui.settings import print_listing
    from phicli.ui.terminal import Terminal

    print_listing(Terminal.current(), listing(ctx, everything=everything), everything=everything, as_json=as_json)
