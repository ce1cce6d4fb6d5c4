"""Declarations of tools read from JSON: as OpenAI and others have them, or in the shape of Phi-4-mini's card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from phicli.errors import UsageError
from phicli.tools.card import CardError, is_schema, schema_of
from phicli.tools.types import Tool

_FORM: Final = (
    'the file must hold a list of tools, e.g. [{"type": "function", "function": {"name": "get_weather", '
    '"description": "…", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]'
)
_PARAMETERS: Final = ("parameters", "input_schema", "inputSchema")
"""What OpenAI, Anthropic and the Model Context Protocol call them."""
_BESIDE: Final = ("name", "description", "type", "function", "strict", "required", "title")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def parse_tools(text: str, where: str) -> list[Tool]:
    """The tools in ``text``, a JSON list.

    Args:
        text: JSON.
        where: the name of the file, for errors.

    Raises:
        UsageError: it is something else; the message names the tool by its number.
    """
    try:
        data = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        why = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise UsageError(f"{where} is not JSON: {why} at line {error.lineno}, column {error.colno}", _FORM) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {error}", _FORM) from None
    if not isinstance(data, list):
        raise UsageError(f"{where} is not a list but {_kind(data)}", _FORM)
    if not data:
        raise UsageError(f"{where} has no tools", _FORM)
    return [tool_of(one, f"{where}: tool {number}") for number, one in enumerate(data, 1)]


def tool_of(data: Any, where: str) -> Tool:
    """One declaration.

    Raises:
        UsageError: it is not one.
    """
    if not isinstance(data, Mapping):
        raise UsageError(f"{where} is not an object but {_kind(data)}", _FORM)
    function = data.get("function", data)
    if not isinstance(function, Mapping):
        raise UsageError(f"{where}: function is not an object but {_kind(function)}", _FORM)
    name, description = function.get("name"), function.get("description")
    description = "" if description is None else description
    if name is None:
        raise UsageError(f"{where} has no name", _FORM)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {name!r} cannot be a name", "a name has 1 to 64 letters, digits, _, . and -")
    if not isinstance(description, str):
        raise UsageError(f"{where} ({name}): the description is not text but {_kind(description)}", _FORM)
    return Tool(name, description, _parameters(function, f"{where} ({name})"))


def unique(tools: Sequence[tuple[str, Tool]]) -> tuple[Tool, ...]:
    """The tools, each given with the name of its file.

    Raises:
        UsageError: two of them have one name.
    """
    places: dict[str, str] = {}
    for place, tool in tools:
        if tool.name in places:
            both = place if places[tool.name] == place else f"{places[tool.name]} and {place}"
            raise UsageError(f"two tools are called {tool.name}: {both}", "rename or remove one of them")
        places[tool.name] = place
    return tuple(tool for _, tool in tools)


def _parameters(function: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    names = [name for name in _PARAMETERS if function.get(name) is not None]
    others = [name for name in function if name not in (*_PARAMETERS, *_BESIDE)]
    if len(names) > 1:
        raise UsageError(f"{where} has {names[0]} and {names[1]}", "leave out one of them")
    if others and not names:
        raise UsageError(f"{where} has no parameters, but the unknown key {others[0]}", _FORM)
    parameters = function[names[0]] if names else {}
    if not isinstance(parameters, Mapping):
        raise UsageError(f"{where}: the parameters are not an object but {_kind(parameters)}", _FORM)
    if not is_schema(parameters):
        try:
            return schema_of(parameters, function.get("required"))
        except CardError as error:
            raise UsageError(f"{where}: {error}", "see the two shapes: docs/scripting.md") from None
    if parameters.get("type", "object") != "object":
        raise UsageError(f"{where}: the parameters are of type {parameters['type']!r}", 'their type must be "object"')
    return parameters


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _kind(value: Any) -> str:
    names = {"dict": "an object", "list": "a list", "str": "text", "NoneType": "null", "bool": "true or false"}
    return names.get(type(value).__name__, "a number")
