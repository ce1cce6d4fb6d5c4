"""``phi help``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def complete_command(ctx: typer.Context, incomplete: str) -> list[str]:
    """Commands that begin with ``incomplete``, behind those that were typed."""
    from phicli.commands import GROUPS, SUMMARIES

    typed = ctx.params.get("command") or []
    known = SUMMARIES if not typed else GROUPS.get(typed[0], {}) if len(typed) == 1 else {}
    return [name for name in known if name.startswith(incomplete)]


def help_(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="Command, e.g. chat or cache list [default: phi itself].",
            autocompletion=complete_command,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the help of a command."""
    from phicli.commands.help_page import help_page
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    name, text = help_page(ctx, command or ())
    if as_json:
        print_result(Terminal.current(), "help", {"command": name, "text": text})
    else:
        Terminal.current().write_line(text)
