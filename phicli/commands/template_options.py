"""Options of ``phi chat`` for templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.commands.chosen_template import ChosenTemplate


def complete_template(incomplete: str) -> list[str]:
    """The names of templates that begin with ``incomplete``."""
    from phicli.templates.finding import all_names

    return [name for name in all_names() if name.lower().startswith(incomplete.lower())]


def complete_variable(ctx: Any, incomplete: str) -> list[str]:
    """The variables of the template that was typed, each with ``=`` behind it."""
    from phicli.templates.finding import find_template
    from phicli.templates.reading import read_template

    typed = ctx.params.get("template")
    names = read_template(find_template(typed)).variables if typed else ()
    return [f"{name}=" for name in names if name.startswith(incomplete)]


Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        "-T",
        metavar="NAME",
        help="Use this template: a name of phi templates list, or the path of a TOML file.",
        autocompletion=complete_template,
        show_default=False,
    ),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help="Value of a variable of the template, e.g. language=German. Can be repeated.",
        autocompletion=complete_variable,
        show_default=False,
    ),
]


def template_of(ctx: typer.Context, typed: str | None, variables: Sequence[str] | None) -> ChosenTemplate | None:
    """The template that was ``typed``, None where none was: nothing is loaded then.

    Raises:
        UsageError: variables were typed without a template; or as for :func:`chosen_template`.
        NotFoundError: there is no such template.
    """
    if typed is None:
        if variables:
            raise UsageError("--var requires a template", "add --template NAME; see all templates: phi templates list")
        return None
    from phicli.commands.chosen_template import chosen_template

    return chosen_template(ctx, typed, variables or ())
