"""The part of JSON Schema that OpenAI holds answers to exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phicli.structured.subschemas import all_schemas

_WORDS: Final = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs",
        "definitions", "description", "title", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum",
        "minimum", "exclusiveMinimum", "minItems", "maxItems",
    }
)  # fmt: skip
"""As OpenAI's guide to structured outputs lists them, 2026-10."""


def fits_strict(schema: Any) -> bool:
    """Whether ``schema`` may be sent with ``strict: true``, which is refused for any other one.

    The whole is an object, every object lists all of its properties as required and allows no others.
    """
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return False
    return all(_fits(inner) for _, inner in all_schemas(schema))


def _fits(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or not schema.keys() <= _WORDS:
        return False
    if "object" not in schema.get("type", ()) and "properties" not in schema:
        return True
    names = schema.get("properties", {})
    return schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(names)
