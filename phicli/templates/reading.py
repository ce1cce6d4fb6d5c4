"""Reads a template; every error names the line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from phicli.settings.file import did_you_mean
from phicli.templates.text import INPUT, NAME, BraceError, TemplateText, read_text
from phicli.templates.types import Template, TemplateFile

OPTIONS: Final = (
    "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed", "max_tokens", "stop",
    "think_budget",
)  # fmt: skip
"""Options of ``phi chat`` that a template can give. Their values are checked where the options are known."""
KEYS: Final = ("description", "system", "prompt", "model", *OPTIONS, "schema", "variables")
"""Everything that a template can have."""


def read_template(file: TemplateFile) -> Template:
    """The template in ``file``.

    Raises:
        UsageError: a key is unknown, a value has the wrong type, or a text has a brace that stands alone.
    """
    _check_keys(file)
    template = Template(
        file,
        description=_line(file, "description"),
        system=_text(file, "system"),
        prompt=_text(file, "prompt"),
        defaults=_defaults(file),
        model=_string(file, "model"),
        options={name: value for name in OPTIONS if (value := file.content.value((name,))) is not None},
        schema=_schema(file),
    )
    _check_variables(template)
    return template


def _check_keys(file: TemplateFile) -> None:
    keys = file.content.tables
    for key in keys:
        if key not in KEYS:
            remedy = did_you_mean(key, KEYS) or f"the keys are {', '.join(KEYS)}"
            raise file.refuse(key, "is not a key of a template", remedy)
    if not keys.keys() - {"description"}:
        raise file.refuse("prompt", "is missing, and so is every other key", 'write a prompt, e.g. prompt = "{input}"')


def _check_variables(template: Template) -> None:
    file = template.file
    if template.system is not None and template.system.takes_input:
        raise file.refuse("system", "contains {input}, which only the prompt can", "move it to the prompt")
    for name in template.defaults:
        if name not in template.variables:
            close = did_you_mean(name, template.variables)
            remedy = close or f"write {{{name}}} into the prompt, or remove the variable"
            if name in KEYS:
                remedy = f"to set {name} of the template, write it above [variables]"
            raise file.refuse(
                "variables", f"has {name}, but neither system nor prompt contains {{{name}}}", remedy, variable=name
            )


def _string(file: TemplateFile, key: str) -> str | None:
    value = file.content.value((key,))
    if value is None:
        return None
    if not isinstance(value, str):
        raise file.refuse(key, "is not a string", f'write it in quotes: {key} = "…"')
    if not value.strip():
        raise file.refuse(key, "is empty", "write some text, or remove the key")
    return value


def _line(file: TemplateFile, key: str) -> str:
    return " ".join((_string(file, key) or "").split())


def _text(file: TemplateFile, key: str) -> TemplateText | None:
    value = _string(file, key)
    if value is None:
        return None
    try:
        return read_text(value.strip("\r\n"))
    except BraceError as error:
        remedy = "write {{ and }} for braces in the text, and {input} or {name} for a variable"
        raise file.refuse(key, f"has a single brace: {error}", remedy) from None


def _defaults(file: TemplateFile) -> Mapping[str, str]:
    value = file.content.value(("variables",))
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise file.refuse("variables", "is not a table", "write it as [variables]")
    return {name: _default(file, name, inner) for name, inner in value.items()}


def _default(file: TemplateFile, name: str, value: Any) -> str:
    if NAME.fullmatch(name) is None or name == INPUT:
        remedy = "a name has letters, digits, - and _, and is not input"
        raise file.refuse("variables", f"has {name!r}, which cannot be the name of a variable", remedy, variable=name)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        remedy = f'write it in quotes: {name} = "…"'
        raise file.refuse("variables", f"has {name}, which is not a string", remedy, variable=name)
    return str(value)


def _schema(file: TemplateFile) -> Mapping[str, Any] | str | None:
    value = file.content.value(("schema",))
    if not isinstance(value, Mapping):
        return _string(file, "schema")
    if (wrong := next(_not_json(value), None)) is not None:
        raise file.refuse("schema", f"contains {wrong}, which JSON does not have", "write it as a string")
    return value


def _not_json(value: Any) -> Iterator[Any]:
    """The values within ``value`` that TOML has and JSON does not: dates, times, infinite numbers."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _not_json(inner)
    elif not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        yield value
