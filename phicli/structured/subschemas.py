"""Where a JSON Schema has schemas inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

OF_NAMES: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
"""Keywords whose value is an object of schemas, by names that a person chose."""
IN_LISTS: Final = ("prefixItems", "anyOf", "allOf", "oneOf")
SINGLE: Final = (
    "additionalProperties", "propertyNames", "unevaluatedProperties", "additionalItems", "unevaluatedItems", "contains",
    "not", "if", "then", "else",
)  # fmt: skip
WORDS: Final = frozenset({
    *OF_NAMES, *IN_LISTS, *SINGLE, "items", "$schema", "$id", "id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor",
    "$recursiveRef", "$recursiveAnchor", "$vocabulary", "type", "enum", "const", "multipleOf", "maximum", "minimum",
    "exclusiveMaximum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "format", "maxItems", "minItems",
    "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties", "required", "dependentRequired",
    "contentEncoding", "contentMediaType", "contentSchema", "extends", "disallow", "divisibleBy", "nullable",
})  # fmt: skip
"""Keywords that say something about a value, in all dialects."""
NOTES: Final = frozenset({
    "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment",
    "markdownDescription", "externalDocs", "xml", "discriminator",
})  # fmt: skip
"""Keywords that say something to people."""
TYPES: Final = frozenset({"string", "number", "integer", "array", "object", "boolean", "null"})
Place = tuple[str | int, ...]
"""The way from the top of a schema, or of an answer, to a value in it."""


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    """The schemas directly inside ``schema``, each with its way from there; some can be true or false."""
    for keyword in OF_NAMES:
        value = schema.get(keyword)
        for name, inner in value.items() if isinstance(value, Mapping) else ():
            yield (keyword, name), inner
    for keyword in (*IN_LISTS, "items"):
        value = schema.get(keyword)
        for index, inner in enumerate(value) if isinstance(value, list) else ():
            yield (keyword, index), inner
    for keyword in (*SINGLE, "items"):
        if keyword in schema and not isinstance(schema[keyword], list):
            yield (keyword,), schema[keyword]


def all_schemas(schema: Any) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """``schema`` and all schemas inside it that are objects, each with its way from the top."""
    waiting: list[tuple[Place, Any]] = [((), schema)]
    while waiting:
        place, inner = waiting.pop()
        if isinstance(inner, Mapping):
            yield place, inner
            waiting += [((*place, *way), deeper) for way, deeper in subschemas(inner)]


def pointer(place: Place) -> str:
    """A place as a JSON pointer: ``/properties/age``; the top is ``/``."""
    return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in place)
