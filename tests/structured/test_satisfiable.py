"""Schemas that no answer can match are refused with the place; all others are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from phicli.errors import UsageError
from phicli.structured.checking import check_schema
from phicli.structured.satisfiable import why_impossible
from phicli.tools.checking import check_schemas
from phicli.tools.types import Tool
from tests.support.random_schemas import schemas

_LIST = {"type": ["object", "null"], "properties": {"next": {"$ref": "#/$defs/list"}}, "required": ["next"]}
_OLD = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ({"type": "number", "minimum": 5, "maximum": 1}, "/minimum", "it is 5, but maximum is 1"),
        ({"type": "number", "exclusiveMinimum": 5, "maximum": 5}, "/exclusiveMinimum", "but maximum is 5"),
        ({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 6}, "/exclusiveMinimum", "no integer between"),
        ({"type": "integer", "minimum": 1.5, "maximum": 1.7}, "/minimum", "there is no integer between them"),
        ({"type": "integer", "minimum": 5, "maximum": 7, "multipleOf": 4}, "/multipleOf", "no multiple of 4"),
        ({"$schema": _OLD, "type": "number", "minimum": 5, "exclusiveMinimum": True, "maximum": 5}, "/minimum", "5"),
        ({"type": "integer", "minimum": 2**63}, "/minimum", "the engine can only generate numbers from"),
        ({"type": "string", "minLength": 5, "maxLength": 1}, "/minLength", "it is 5, but maxLength is 1"),
        ({"type": "string", "minLength": 10**7}, "/minLength", "but an answer has at most 1000000 characters"),
        ({"type": "array", "minItems": 5, "maxItems": 1}, "/minItems", "it is 5, but maxItems is 1"),
        ({"type": "array", "minItems": 10_001}, "/minItems", "but an answer has at most 10000 items"),
        ({"type": "array", "items": False, "minItems": 1}, "/items", "no answer can match false"),
        ({"type": "array", "prefixItems": [{"enum": []}], "minItems": 1}, "/prefixItems/0/enum", "it is empty"),
        ({"type": "object", "minProperties": 5, "maxProperties": 1}, "/minProperties", "but maxProperties is 1"),
        ({"type": "object", "required": ["a", "b"], "maxProperties": 1}, "/maxProperties", "2 names are required"),
        ({"type": "object", "required": ["x"], "additionalProperties": False}, "/required", "'x' is required, but"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "/properties/a", "match false"),
        ({"enum": []}, "/enum", "it is empty"),
        ({"const": 1, "enum": [2, 3]}, "/const", "it contradicts the rest"),
        ({"enum": ["a", "b"], "type": "integer"}, "/enum", "it contradicts the rest"),
        ({"const": "a", "not": {"const": "a"}}, "/const", "it contradicts the rest"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "/allOf/0", "it contradicts the rest"),
        ({"type": "string", "$ref": "#/$defs/n", "$defs": {"n": {"type": "null"}}}, "/$ref", "it contradicts"),
        ({"anyOf": [{"type": "string", "minLength": 3, "maxLength": 1}, False]}, "/anyOf/0/minLength", "it is 3"),
        ({"allOf": [{"$ref": "#"}]}, "/allOf/0/$ref", "it refers to itself without an end"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "/properties/a/$ref", "itself"),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, "/items/$ref", "refers to itself without an end"),
    ],
)
def test_a_schema_that_no_answer_can_match_is_refused_with_the_place(schema: Any, place: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_schema(schema)
    assert caught.value.message.startswith(f"no answer can match the schema at {place}: ")
    assert words in caught.value.message
    assert caught.value.hint == "correct the schema there"


@pytest.mark.parametrize(
    "schema",
    [
        {"minimum": 5, "maximum": 1},
        {"type": "number", "exclusiveMinimum": 5, "exclusiveMaximum": 6},
        {"type": ["number", "null"], "minimum": 5, "maximum": 1},
        {"type": "object", "properties": {"a": False}},
        {"type": "array", "items": False},
        {"type": "array", "prefixItems": [False, True]},
        {"anyOf": [False, {"type": "null"}]},
        {"enum": [1.0], "type": "integer"},
        {"type": "integer", "minimum": 0, "maximum": 2**64},
        {"$ref": "#/$defs/list", "type": "object", "$defs": {"list": _LIST}},
        {"allOf": [{"$ref": "#/$defs/list"}, {"type": "object"}], "$defs": {"list": _LIST}},
        {"$schema": "http://json-schema.org/draft-03/schema#", "type": ["string", {"type": "null"}]},
        {"$schema": _OLD, "$ref": "#/definitions/n", "type": "string", "definitions": {"n": {"type": "null"}}},
    ],
)
def test_a_schema_that_an_answer_can_match_is_not_refused(schema: Any) -> None:
    check_schema(schema)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-25, 25) | st.sampled_from((0.5, "", "a", "ab1")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "c", "name")), inner),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(schemas(), st.lists(_VALUES, min_size=5, max_size=20))
def test_no_schema_that_a_value_matches_is_refused(schema: Any, values: list[Any]) -> None:
    if schema is not False and why_impossible(schema, Draft202012Validator) is not None:
        assert not any(Draft202012Validator(schema).is_valid(value) for value in values), json.dumps(schema)


def test_a_tool_that_nothing_can_call_is_refused_by_its_name() -> None:
    never = {"type": "object", "properties": {"city": {"enum": []}}, "required": ["city"]}
    with pytest.raises(UsageError, match=r"^the tool weather: no answer can match the schema at /properties/city/enum"):
        check_schemas([Tool("weather", "", never)])
