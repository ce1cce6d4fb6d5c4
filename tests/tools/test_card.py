"""Declarations in the shape of Phi-4-mini's card, made from JSON Schema and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from phicli.tools.card import CardError, card_of, is_schema, schema_of
from phicli.tools.declared import declared_for
from phicli.tools.reading import parse_tools
from phicli.tools.types import Tool
from tests.support.random_schemas import schemas

CARD = (
    '[{"name": "get_weather_updates", "description": "Fetches weather updates", "parameters": '
    '{"city": {"description": "The city", "type": "str", "default": "London"}}}]'
)
"""The example of the model card of Phi-4-mini-instruct, in form."""


def parameters_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What the model reads of ``schema``."""
    return dict(card_of(Tool("f", "", schema))["parameters"])


def one(schema: Any, *, required: bool = True, **root: Any) -> dict[str, Any]:
    """What the model reads of one parameter."""
    whole = {"type": "object", "properties": {"p": schema}, "required": ["p"] if required else [], **root}
    return dict(parameters_of(whole)["p"])


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("string", "str"), ("integer", "int"), ("number", "float"), ("boolean", "bool"), ("array", "list"),
        ("object", "dict"),
    ],
)  # fmt: skip
def test_types_have_pythons_names(name: str, python: str) -> None:
    assert one({"type": name}) == {"type": python}
    assert schema_of({"p": {"type": python}})["properties"] == {"p": {"type": name}}
    assert schema_of({"p": {"type": name}})["properties"] == {"p": {"type": name}}


def test_keys_come_in_the_order_of_the_card() -> None:
    declared = one({"enum": ["a"], "default": "a", "type": "string", "description": "Which"})
    assert list(declared) == ["description", "type", "default", "enum"]


def test_what_may_be_left_out_is_marked_unless_it_has_a_default() -> None:
    assert one({"type": "string"}, required=False) == {"type": "str, optional"}
    assert one({"type": "string", "default": "x"}, required=False) == {"type": "str", "default": "x"}
    assert one({"type": "string", "default": None}, required=False) == {"type": "str, optional"}


@pytest.mark.parametrize(
    ("schema", "declared"),
    [
        ({"enum": ["c", "f"]}, {"type": "str", "enum": ["c", "f"]}),
        ({"const": 3}, {"type": "int", "const": 3}),
        ({"type": "integer", "minimum": 1, "title": "P"}, {"type": "int", "minimum": 1}),
        ({}, {"type": "any"}),
        (True, {"type": "any"}),
        ({"type": ["string", "null"]}, {"type": "str"}),
        ({"type": ["string", "integer"]}, {"type": "str | int"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, {"type": "int"}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"type": "int | str"}),
        ({"oneOf": [{"enum": [1, 2]}], "description": "d"}, {"description": "d", "type": "int", "enum": [1, 2]}),
        ({"type": "array", "items": {"type": "number"}}, {"type": "list", "items": {"type": "float"}}),
        (
            {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x"]},
            {"type": "dict", "properties": {"x": {"type": "int"}, "y": {"type": "int, optional"}}},
        ),
        ({"properties": {"x": {}}, "required": ["x"]}, {"type": "dict", "properties": {"x": {"type": "any"}}}),
    ],
)  # fmt: skip
def test_what_the_card_does_not_show_stands_beside(schema: Any, declared: dict[str, Any]) -> None:
    assert one(schema) == declared


def test_references_are_resolved() -> None:
    definitions = {"Unit": {"enum": ["c", "f"]}}
    assert one({"$ref": "#/$defs/Unit", "description": "d"}, **{"$defs": definitions}) == {
        "description": "d", "type": "str", "enum": ["c", "f"],
    }  # fmt: skip
    assert one({"$ref": "#/$defs/None"}) == {"type": "any"}


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    declared = one({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})
    assert 100 < len(json.dumps(declared)) < 1000
    twice = {"type": "object", "properties": {name: {"$ref": "#/$defs/Node"} for name in "abcd"}}
    assert len(json.dumps(one({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": twice}}))) < 50_000
    circle = {"$ref": "#/$defs/A"}
    assert one(circle, **{"$defs": {"A": circle}}) == {"type": "any"}


def test_the_cards_own_example_stays_as_it_is() -> None:
    assert declared_for("phi-4-mini", parse_tools(CARD, "FILE")) == CARD


@pytest.mark.parametrize(
    "parameters",
    [
        {"a": {"type": "int"}, "b": {"description": "x", "type": "str, optional"}},
        {"a": {"type": "list", "items": {"type": "str"}}},
        {"a": {"type": "dict", "properties": {"x": {"type": "int"}}}},
        {"a": {"type": "str | int"}},
        {"a": {"type": "any"}},
        {"type": {"type": "str"}, "properties": {"type": "dict"}},
        {},
    ],
)
def test_reading_and_declaring_change_nothing(parameters: dict[str, Any]) -> None:
    assert not is_schema(parameters)
    assert parameters_of(schema_of(parameters)) == parameters


def test_which_are_required() -> None:
    parameters = {"a": {"type": "int"}, "b": {"type": "int", "default": 1}, "c": {"type": "int, optional"}}
    assert schema_of(parameters)["required"] == ["a"]
    assert schema_of(parameters, ["b"])["required"] == ["b"]
    assert schema_of({"a": {"type": "int", "required": False}, "b": {"type": "int"}})["required"] == ["b"]


@pytest.mark.parametrize(
    ("word", "schema"),
    [
        ("List[str]", {"type": "array", "items": {"type": "string"}}),
        ("Dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("Optional[float]", {"type": "number"}),
        ("tuple[int, str]", {"type": "array"}),
        ("list[list[int]]", {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}),
        ("any", {}),
    ],
)
def test_pythons_words_for_types_are_read(word: str, schema: dict[str, Any]) -> None:
    assert schema_of({"p": {"type": word}})["properties"]["p"] == schema


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"p": "str"}, "parameter p is not an object"),
        ({"p": {"type": "date"}}, "parameter p: unknown type 'date'"),
        ({"p": {"type": 3}}, "parameter p: the type is not a string"),
        ({"p": {"type": "dict", "properties": {"q": {"type": "x"}}}}, "parameter p: parameter q: unknown type 'x'"),
        ({"p": {"type": "Foo[int]"}}, "unknown type 'foo'"),
    ],
)
def test_what_is_wrong_is_named(parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(CardError, match=why.replace("[", r"\[")):
        schema_of(parameters)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(), schemas())
def test_any_parameters_can_be_declared_and_read_back(first: Any, second: Any) -> None:
    whole = {"type": "object", "properties": {"p": first, "q": {"anyOf": [first, second]}}, "required": ["p"]}
    declared = parameters_of(whole)
    assert json.loads(json.dumps(declared)) == declared
    assert schema_of(declared)["properties"].keys() == {"p", "q"}


def test_models_without_tool_training_get_json_schema() -> None:
    tool = Tool("f", "d", {"type": "object", "properties": {"a": {"type": "integer"}}})
    assert json.loads(declared_for("phi-3", [tool])) == [
        {"name": "f", "description": "d", "parameters": dict(tool.parameters)}
    ]


def test_the_declarations_of_tiny_phi_are_read_and_declared_as_it_knows_them() -> None:
    path = Path(__file__).parents[1] / "data" / "tiny_phi_conversations.json"
    texts = {one["tools"] for one in json.loads(path.read_text(encoding="utf-8")) if one["tools"]}
    assert len(texts) > 3
    for text in texts:
        assert declared_for("phi-4-mini", parse_tools(text, "FILE")) == text
