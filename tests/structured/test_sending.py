"""What is sent of a schema: no word that switches the engine's constraint off, and an end to every value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from phicli.engine.constraint import Constraint, ConstraintError
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import Done, Sampling
from phicli.structured.limits import LARGEST, limits_for
from phicli.structured.sending import json_schema_to_send
from tests.structured.words import engine

NAMES = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]}


def sent(schema: Any, max_tokens: int | None = None) -> dict[str, Any]:
    """What is sent for a schema, without what all have."""
    made: dict[str, Any] = json.loads(json_schema_to_send(schema, limits_for(schema, max_tokens)))
    assert made.pop("x-guidance") == {"whitespace_flexible": False, "lenient": True}
    made.pop("$defs", None)
    return made


def test_words_that_the_engine_does_not_hold_are_left_out_at_every_depth() -> None:
    inner = {"type": "boolean", "not": {"const": True}, "if": True, "then": False}
    schema = {"type": "object", "properties": {"not": inner}, "uniqueItems": True, "additionalProperties": False}
    assert sent(schema) == {
        "type": "object",
        "properties": {"not": {"type": "boolean"}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(?!a)b", "(?<=a)b", "(a)\\1", "(?P<x>a)(?P=x)", "(?>a)b", "a++", "a\\Z"]
)
def test_expressions_that_only_python_knows_are_left_out(pattern: str) -> None:
    assert "pattern" not in sent({"type": "string", "pattern": pattern})


@pytest.mark.parametrize("pattern", ["^a$", "\\d+\\.\\d+", "a\\+\\+", "(?:a|b)+", "(?i)x", "[+]+"])
def test_other_expressions_stay(pattern: str) -> None:
    assert sent({"type": "string", "pattern": pattern})["pattern"] == pattern


def test_objects_get_only_the_names_that_they_list_unless_the_schema_says_more() -> None:
    assert sent(NAMES)["additionalProperties"] is False
    free = sent({**NAMES, "additionalProperties": {"type": "boolean"}})
    assert free["patternProperties"] == {"^.{1,60}$": {"type": "boolean"}}
    for combined in ({"allOf": [NAMES, {"required": ["c"]}]}, {**NAMES, "anyOf": [{"required": ["c"]}]}):
        assert "additionalProperties" not in json.dumps(sent(combined))
    assert "patternProperties" in sent({**NAMES, "required": ["c"]})


def test_limits_of_the_schema_stay() -> None:
    schema = {"type": "string", "minLength": 5000}
    assert sent(schema)["maxLength"] == 10_000
    assert sent({"type": "string", "maxLength": 3})["maxLength"] == 3
    assert sent({"type": "integer", "minimum": 5})["maximum"] == 10**18 - 1
    assert sent({"type": "integer", "minimum": 10**16})["maximum"] == LARGEST
    assert sent({"type": "integer", "exclusiveMaximum": -(10**15)})["minimum"] == -(10**18 - 1)
    assert sent({"type": "array", "items": {"const": 1}, "minItems": 2000})["maxItems"] == 4000
    assert sent({"enum": ["x"]}) == {"enum": ["x"]}


@pytest.mark.parametrize("limits", [True, False])
def test_limits_that_the_engine_cannot_hold_are_replaced(monkeypatch: pytest.MonkeyPatch, limits: bool) -> None:
    """Here the engine's own limits are smaller than they are; it also refuses a count that is written as ``3.0``."""
    monkeypatch.setattr("phicli.structured.limits.LARGEST", 10**6)
    monkeypatch.setattr("phicli.structured.limits.MOST_ENTRIES", 500)
    schema = {
        "anyOf": [
            {"type": "integer", "minimum": -(10**7), "maximum": 10**7},
            {"type": "number", "exclusiveMinimum": -1e7, "exclusiveMaximum": 1e7, "multipleOf": 1},
            {"type": "array", "items": True, "minItems": 1.0, "maxItems": 600},
            {"type": "string", "minLength": 1e22, "maxLength": 1e22},
            {"type": "object", "additionalProperties": False, "maxProperties": 600},
        ]
    }
    made = json.loads(json_schema_to_send(schema, limits_for(schema, None) if limits else None))
    whole, number, array, string, thing = made["anyOf"]
    assert (whole["minimum"], whole["maximum"]) == (-(10**6), 10**6)
    assert (number["exclusiveMinimum"], number["exclusiveMaximum"]) == (-(10**6), 10**6)
    assert array["maxItems"] <= 500
    assert json.dumps([array["minItems"], string["minLength"], string["maxLength"]]) == "[1, 1000000000, 1000000000]"
    assert thing["maxProperties"] == 500


def test_limits_depend_on_the_tokens_and_on_what_shares_them() -> None:
    one, many = (
        limits_for({"type": "integer"}, 10),
        limits_for({"type": "array", "items": [{"type": "number"}] * 5}, 10),
    )
    assert (one.digits, many.digits) == (8, 1)
    usual = limits_for({"type": "integer"}, None)
    assert (usual.digits, usual.whole_digits, usual.places) == (18, 15, 9)


@pytest.fixture(scope="module")
def running(starts_process: None) -> Iterator[LlamaServerEngine]:
    """The engine with tiny-phi."""
    loaded = engine()
    yield loaded
    loaded.close()


@pytest.mark.parametrize("max_tokens", [5, 12, 40])
@pytest.mark.parametrize(
    "schema", [{"type": "integer"}, {"type": "number"}, {"type": ["number", "null"], "minimum": 0}]
)
def test_no_answer_runs_to_the_limit_inside_a_number(running: LlamaServerEngine, schema: Any, max_tokens: int) -> None:
    constraint = Constraint("json_schema", json_schema_to_send(schema, limits_for(schema, max_tokens)))
    prompt = running.tokenize("<|user|>x<|end|><|assistant|>", parse_special=True)
    for seed in range(20):
        sampling = Sampling(
            temperature=5.0, top_k=0, top_p=1.0, min_p=0.0, seed=seed, max_tokens=max_tokens, constraint=constraint
        )
        *_, done = running.generate(prompt, sampling)
        assert isinstance(done, Done)
        assert done.finish_reason == "stop"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": -(2**64), "maximum": 2**64},
        {"type": "array", "items": {"const": 1}, "maxItems": 10**9},
        {"type": "string", "maxLength": 3.0},
        {"type": "number", "minimum": -1e300, "maximum": 1e300},
        {"type": "string", "pattern": "(?<=a)b+"},
        {"uniqueItems": True, "contains": {"const": 1}},
        {"allOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"b": {"items": {"not": {}}}}}]},
        {"$ref": "#/$defs/t", "$defs": {"t": {"properties": {"t": {"$ref": "#/$defs/t"}}, "type": "object"}}},
        True,
    ],
)
def test_the_engine_can_hold_what_is_sent(running: LlamaServerEngine, schema: Any) -> None:
    prompt = running.tokenize("<|user|>x<|end|><|assistant|>", parse_special=True)
    for limits in (limits_for(schema, 30), None):
        constraint = Constraint("json_schema", json_schema_to_send(schema, limits))
        try:
            list(running.generate(prompt, Sampling(max_tokens=30, constraint=constraint)))
        except ConstraintError as error:
            pytest.fail(f"{constraint.text}: {error.message}")
