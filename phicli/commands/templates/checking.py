"""Templates read and checked for the commands of ``phi templates``."""

from __future__ import annotations

from phicli.commands.chosen_template import checked_options, schema_of
from phicli.commands.group import build
from phicli.errors import NotFoundError, UsageError
from phicli.templates.reading import read_template
from phicli.templates.types import Template, TemplateFile


def checked_template(file: TemplateFile) -> Template:
    """The template in ``file``, whose values ``phi chat`` takes.

    Raises:
        UsageError: it has an error; names the line.
    """
    template = read_template(file)
    checked_options(template, build("", "chat"))
    _check_schema(template)
    return template


def _check_schema(template: Template) -> None:
    schema = schema_of(template)
    if schema is None:
        return
    from phicli.structured.checking import check_schema
    from phicli.structured.reading import read_schema

    try:
        check_schema(read_schema(schema))
    except (UsageError, NotFoundError) as error:
        raise template.file.refuse("schema", f"is not valid: {error.message}", error.hint) from None
