"""A wrong schema is refused with the place, before an engine sees it."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.errors import UsageError
from phicli.structured.checking import check_schema


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ({"type": "strin"}, "/type", "unknown type: 'strin'; the types are array, boolean"),
        ({"properties": {"age": {"minimum": "x"}}}, "/properties/age/minimum", "not of type 'number'"),
        ({"properties": {"a/b~": {"type": 3}}}, "/properties/a~1b~0/type", "3 is not valid"),
        ([], "/", "[] is not of type"),
        (None, "/", "None is not of type"),
        (False, "/", "no answer can match false"),
        ({"$schema": 3}, "/$schema", "not a string"),
        ({"$schema": "http://example.org/x"}, "/$schema", "unknown"),
        ({"items": [{}]}, "/items", "is not of type"),
        ({"pattern": "("}, "/pattern", "the regular expression '(' cannot be used: missing )"),
        ({"pattern": "\\p{L}"}, "/pattern", "bad escape"),
        ({"pattern": "a{99999999999999999999}"}, "/pattern", "the regular expression is too large"),
        ({"pattern": "(" * 3000 + ")" * 3000}, "/pattern", "the regular expression is too large"),
        ({"anyOf": [{"patternProperties": {"[": True}}]}, "/anyOf/0/patternProperties/[", "unterminated"),
        ({"$ref": "#"}, "/$ref", "leads only back to itself"),
        ({"$ref": "#/$defs/none"}, "/$ref", "'#/$defs/none' is not in the schema"),
        ({"items": {"$ref": "https://example.org/x.json"}}, "/items/$ref", "never downloaded"),
        ({"$ref": "other.json"}, "/$ref", "never downloaded"),
        ({"$id": "http://[", "$ref": "a"}, "/$ref", "cannot be resolved"),
        (
            {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
            "/$ref",
            "leads only back to itself",
        ),
    ],
)
def test_the_place_is_named(schema: Any, place: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_schema(schema)
    message = caught.value.message
    assert message.startswith(f"the schema is wrong at {place}: ")
    assert words in message


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: Any = {"type": "null"}
    for _ in range(2000):
        schema = {"items": schema}
    with pytest.raises(UsageError, match="nested too deeply"):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"$ref": "#/$defs/tree", "$defs": {"tree": {"properties": {"next": {"$ref": "#/$defs/tree"}}}}},
        {"properties": {"a": {"$id": "https://e.org/x", "$ref": "#/$defs/q", "$defs": {"q": {"const": 1}}}}},
        {"$ref": "#named", "$defs": {"x": {"$anchor": "named"}}},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"format": "of-our-own", "x-more": 1, "properties": {"$ref": {"type": "string"}}},
    ],
)
def test_valid_schemas_are_valid(schema: Any) -> None:
    assert check_schema(schema).__name__ == "Draft202012Validator"


def test_the_dialect_of_the_schema_decides() -> None:
    seven = "http://json-schema.org/draft-07/schema#"
    assert check_schema({"$schema": seven, "items": [{}]}).__name__ == "Draft7Validator"


@pytest.mark.parametrize(
    ("schema", "message", "hint"),
    [
        ({"name": "string", "age": "int"}, "at /: no key is a word of JSON Schema: name, age", '"properties"'),
        ({"description": "A person", "fields": {}}, "at /: no key is a word of JSON Schema: fields", '"properties"'),
        (
            {"type": "object", "properties": {"who": {"name": "string"}}},
            "at /properties/who: no key is a word of JSON Schema: name",
            '"properties"',
        ),
        ({"name": "x", "schema": {"type": "object"}}, "is not at the top, but at /schema", "jq .schema FILE"),
        ({"name": "x", "description": "y", "schema": {}, "strict": True}, "but at /schema", "jq .schema FILE"),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
            "but at /json_schema/schema",
            "jq .json_schema.schema FILE",
        ),
        ({"name": "x", "parameters": {"type": "object"}}, "but at /parameters", "jq .parameters FILE"),
    ],
)
def test_what_is_not_a_schema_is_refused(schema: Any, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_schema(schema)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"description": "Anything"},
        {"x-order": 1},
        {"type": "object", "name": "mine"},
        {"properties": {"name": {"type": "string"}, "schema": {}, "any": {"title": "Any"}}},
        {"$ref": "#/definitions/a", "definitions": {"a": {"enum": [1]}}},
        {"nullable": True},
    ],
)
def test_a_schema_that_says_little_is_one(schema: Any) -> None:
    assert check_schema(schema) is not None
