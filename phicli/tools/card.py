"""Declarations in the shape that Phi-4-mini was trained with, and JSON Schema: one made from the other.

The model card declares ``{"name", "description", "parameters": {"city": {"description", "type": "str", "default"}}}``:
no ``properties``, and Python's names of types. What the card does not show stays beside these three keys, with its own
types renamed too:

- a parameter that may be left out and has no default has the type ``str, optional``; all others are required, or have
  a default;
- ``enum``, limits and patterns stay as they are in JSON Schema;
- a list has ``items``, a dict has ``properties``, each of the same shape;
- several types are ``str | int``, any type is ``any``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.tools.types import Tool

_PYTHON: Final = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict",
}  # fmt: skip
_SCHEMA: Final = {
    **{python: name for name, python in _PYTHON.items()}, **{name: name for name in _PYTHON}, "tuple": "array",
    "set": "array",
}  # fmt: skip
_LEFT_OUT: Final = frozenset({
    "type", "description", "default", "title", "$ref", "$defs", "definitions", "$schema", "anyOf", "oneOf", "required",
    "additionalProperties", "items", "properties", "x-guidance",
})  # fmt: skip
_OPTIONAL: Final = re.compile(r"\s*,\s*optional\s*$", re.IGNORECASE)
_INDEXED: Final = re.compile(r"(\w+)\s*\[(.*)\]", re.DOTALL)
_DEEPEST: Final = 16
"""A schema that refers to itself is followed so far."""
_REFERENCE_LEVELS: Final = 4
"""A reference counts as so many levels: a schema that refers to itself twice would grow without an end."""


class CardError(ValueError):
    """A declaration is wrong; the text says where."""


def card_of(tool: Tool) -> dict[str, Any]:
    """The declaration of ``tool`` in the card's shape."""
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": _properties(tool.parameters, tool.parameters, 0),
    }


def schema_of(parameters: Mapping[str, Any], required: Any = None) -> dict[str, Any]:
    """JSON Schema of parameters in the card's shape.

    Args:
        parameters: the parameters by name.
        required: names of those that are required, where a declaration lists them beside its parameters.

    Raises:
        CardError: a parameter is not in the card's shape.
    """
    properties, names = dict[str, Any](), list[str]()
    for name, one in parameters.items():
        if not isinstance(one, Mapping):
            raise CardError(f"parameter {name} is not an object")
        try:
            properties[name], wanted = _read(one)
        except CardError as error:
            raise CardError(f"parameter {name}: {error}") from None
        if name in required if isinstance(required, list) else wanted:
            names.append(name)
    return {"type": "object", "properties": properties, "required": names}


def is_schema(parameters: Mapping[str, Any]) -> bool:
    """Whether ``parameters`` are JSON Schema rather than parameters by name."""
    properties = parameters.get("properties")
    whole = isinstance(properties, Mapping) and not isinstance(properties.get("type"), str)
    return whole or any(isinstance(parameters.get(key), str) for key in ("type", "$ref", "$schema"))


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    schema = _resolved(schema, root)
    required = schema.get("required", ())
    return {
        name: _parameter(one, root, depth + 1, optional=name not in required)
        for name, one in (schema.get("properties") or {}).items()
    }


def _parameter(schema: Any, root: Mapping[str, Any], depth: int, *, optional: bool) -> dict[str, Any]:
    depth += _REFERENCE_LEVELS * _refers(schema)
    schema = _resolved(schema, root) if isinstance(schema, Mapping) else {}
    choices = [one for one in _alternatives(schema, root) if one.get("type") != "null"]
    if len(choices) == 1:
        schema = {**choices[0], **{key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}}
        choices = []
    words = dict.fromkeys(word for one in (choices or [schema]) for word in _words(one))
    word = "any" if "any" in words else " | ".join(words)
    declared: dict[str, Any] = {}
    if schema.get("description"):
        declared["description"] = schema["description"]
    has_default = schema.get("default") is not None
    declared["type"] = f"{word}, optional" if optional and not has_default else word
    if has_default:
        declared["default"] = schema["default"]
    declared |= {key: value for key, value in schema.items() if key not in _LEFT_OUT}
    if depth < _DEEPEST:
        declared |= _inside(schema, root, depth)
    return declared


def _refers(schema: Any) -> bool:
    """Whether ``schema``, or one of its alternatives, refers to another one."""
    if not isinstance(schema, Mapping):
        return False
    alternatives = [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    return any(isinstance(one, Mapping) and "$ref" in one for one in (schema, *alternatives))


def _inside(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(schema.get("items"), Mapping):
        yield "items", _parameter(schema["items"], root, depth + 1, optional=False)
    if schema.get("properties"):
        yield "properties", _properties(schema, root, depth)


def _words(schema: Mapping[str, Any]) -> Iterator[str]:
    """Python's names of the types that ``schema`` allows, null apart."""
    given = schema.get("type")
    names = [given] if isinstance(given, str) else [name for name in given or () if name != "null"]
    if not names:
        names = list(_guessed(schema))
    yield from (_PYTHON.get(name, "any") for name in names or ["any"])


def _guessed(schema: Mapping[str, Any]) -> Iterator[str]:
    """The types of a schema that names none, as far as its other words give them away."""
    values: Sequence[Any] = schema.get("enum") or ([schema["const"]] if "const" in schema else ())
    for value in values:
        kind = type(value).__name__
        if kind in _SCHEMA:
            yield _SCHEMA[kind]
    if not values and ("properties" in schema or "items" in schema):
        yield "object" if "properties" in schema else "array"


def _alternatives(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = schema.get("anyOf") or schema.get("oneOf") or ()
    return [_resolved(one, root) for one in given if isinstance(one, Mapping)]


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """``schema``, or what it refers to inside of ``root``, with its own words beside."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            break
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _read(declared: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """JSON Schema of one parameter, and whether it is required."""
    typed = declared.get("type", "any")
    if not isinstance(typed, str):
        raise CardError("the type is not a string")
    plain = _OPTIONAL.sub("", typed)
    schema: dict[str, Any] = {}
    if "description" in declared:
        schema["description"] = declared["description"]
    schema |= _type(plain)
    marks = ("type", "description", "items", "properties", "required")
    schema |= {key: value for key, value in declared.items() if key not in marks}
    if isinstance(declared.get("items"), Mapping):
        schema["items"] = _read(declared["items"])[0]
    if isinstance(declared.get("properties"), Mapping):
        schema |= schema_of(declared["properties"])
    required = declared.get("required")
    return schema, required if isinstance(required, bool) else plain == typed and "default" not in declared


def _type(word: str) -> dict[str, Any]:
    word = word.strip()
    if "|" in word and "[" not in word:
        return {"type": [_name(part) for part in word.split("|")]}
    if found := _INDEXED.fullmatch(word):
        outer = found[1].lower()
        if outer == "optional":
            return _type(found[2])
        inner = found[2].rsplit(",", 1)[-1] if outer == "dict" else found[2]
        if outer == "dict":
            return {"type": "object", "additionalProperties": _type(inner)}
        return {"type": _name(outer), **({} if "," in inner else {"items": _type(inner)})}
    return {} if word.lower() == "any" else {"type": _name(word)}


def _name(word: str) -> str:
    name = _SCHEMA.get(word.strip().lower())
    if name is None:
        known = ", ".join((*_PYTHON.values(), "any"))
        raise CardError(f"unknown type {word.strip()!r}; the types are {known}")
    return name
