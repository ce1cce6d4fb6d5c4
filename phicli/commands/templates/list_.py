"""``phi templates list``."""

from __future__ import annotations

from phicli.commands.output_format import Json


def list_(as_json: Json = False) -> None:
    """List the templates: the built-in ones and your own."""
    from phicli.commands.templates.checking import checked_template
    from phicli.templates.finding import own_folder
    from phicli.templates.listing import list_templates
    from phicli.ui.templates.template_list import print_templates
    from phicli.ui.terminal import Terminal

    print_templates(Terminal.current(), own_folder(), list_templates(checked_template), as_json=as_json)
