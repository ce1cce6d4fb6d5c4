"""``phi templates show``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.template_options import complete_template


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="Template name, or the path of a TOML file.",
            metavar="NAME",
            autocompletion=complete_template,
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Print a template."""
    from phicli.commands.templates.checking import checked_template
    from phicli.templates.finding import find_template
    from phicli.ui.templates.template_page import print_template
    from phicli.ui.terminal import Terminal

    print_template(Terminal.current(), checked_template(find_template(name)), as_json=as_json)
