"""The values of a template's variables, as ``--var`` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phicli.errors import UsageError
from phicli.settings.file import did_you_mean
from phicli.templates.text import INPUT
from phicli.templates.types import Template


def values_of(template: Template, typed: Sequence[str]) -> Mapping[str, str]:
    """The value of each variable of ``template``: the one that was ``typed`` as ``name=value``, else its default.

    Raises:
        UsageError: what was typed has no ``=``, names a variable twice or one that is not in the template; or a
            variable has no value.
    """
    given: dict[str, str] = {}
    for text in typed:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--var {text} has no value", f"write it as --var {text or 'name'}=VALUE")
        _check(template, name)
        if name in given:
            raise UsageError(f"--var {name} was given twice", "leave out one of them")
        given[name] = value
    values = {**template.defaults, **given}
    if missing := [name for name in template.variables if name not in values]:
        raise UsageError(
            f"template {template.file.name} requires a value for {', '.join(missing)}",
            f"add {' '.join(f'--var {name}=VALUE' for name in missing)}",
        )
    return values


def _check(template: Template, name: str) -> None:
    if name in template.variables:
        return
    if name == INPUT:
        raise UsageError("--var input cannot be given: it is the prompt or the piped text", "give it as the prompt")
    known = ", ".join(template.variables)
    raise UsageError(
        f"template {template.file.name} has no variable {name!r}",
        did_you_mean(name, template.variables)
        or (f"its variables are {known}" if known else f"see it: phi templates show {template.file.name}"),
    )
