"""Templates read and checked for the commands of ``phi templates``."""

from __future__ import annotations

from phicli.commands.chosen_template import checked_options
from phicli.commands.group import build
from phicli.templates.reading import read_template
from phicli.templates.types import Template, TemplateFile


def checked_template(file: TemplateFile) -> Template:
    """The template in ``file``, whose values ``phi chat`` takes.

    Raises:
        UsageError: it has an error; names the line.
    """
    template = read_template(file)
    checked_options(template, build("", "chat"))
    return template
