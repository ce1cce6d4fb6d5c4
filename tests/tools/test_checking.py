"""Calls checked against what was declared."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.chat_format.types import ToolCall
from phicli.errors import UsageError
from phicli.tools.checking import check_schemas, wrong_calls
from phicli.tools.types import Tool

WEATHER = Tool(
    "get_weather",
    "",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer"}},
        "required": ["city"],
    },
)
NOW = Tool("now", "", {"type": "object", "properties": {}})


def wrong(name: str, arguments: dict[str, Any], text: str = "") -> str | None:
    return wrong_calls([ToolCall(name, arguments)], text, [WEATHER, NOW])


def test_right_calls_and_plain_text() -> None:
    assert wrong("get_weather", {"city": "Paris", "unit": "c"}) is None
    assert wrong("now", {}) is None
    assert wrong_calls([], "It is sunny.", [WEATHER]) is None


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("get_time", {}, "there is no tool get_time, the tools are get_weather, now"),
        ("get_weather", {}, "get_weather: 'city' is a required property"),
        ("get_weather", {"city": 3}, "get_weather: arguments.city: 3 is not of type 'string'"),
        ("get_weather", {"city": "P", "unit": "k"}, "get_weather: arguments.unit: 'k' is not one of ['c', 'f']"),
    ],
)
def test_what_is_wrong_is_said(name: str, arguments: dict[str, Any], why: str) -> None:
    assert wrong(name, arguments) == why


def test_a_call_that_cannot_be_read() -> None:
    assert "a call cannot be read" in str(wrong_calls([], '<|tool_call|>[{"name": "f"', [NOW]))


def test_only_the_first_errors_are_listed() -> None:
    text = str(wrong_calls([ToolCall("x", {})] * 5, "", [NOW]))
    assert text.count("there is no tool x") == 3
    assert text.endswith("and 2 more")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "text"}, "the tool f: the schema is wrong at /properties/a/type: "),
        (
            {"$ref": "#/$defs/None"},
            "the tool f: the schema is wrong at /properties/a/$ref: '#/$defs/None' is not in the schema",
        ),
    ],
)
def test_a_wrong_schema_is_named_with_its_place(schema: Any, why: str) -> None:
    parameters = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(UsageError) as caught:
        check_schemas([NOW, Tool("f", "", parameters)])
    assert why in caught.value.message
