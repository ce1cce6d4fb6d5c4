"""``phi templates edit``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.template_options import complete_template


def edit(
    name: Annotated[
        str,
        typer.Argument(
            help="Template name; a new name makes a template.",
            metavar="NAME",
            autocompletion=complete_template,
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Open a template in an editor, check it and save it as your own."""
    from phicli.commands.templates.editing import edit_template
    from phicli.ui.templates.template_page import print_edited
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    path, saved = edit_template(terminal, name)
    print_edited(terminal, name, path, saved=saved, as_json=as_json)
