"""Calls of tools: those that are not declared, and what OpenAI's shape requires of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training_data.examples import DECLARED, OF_THE_CARD, WITH_TOOLS, called, checked, errors, line, numbered
from tests.training_data.test_converting import convert

TEN = b"".join(numbered(10))


def example(call: dict[str, Any], **result: Any) -> dict[str, Any]:
    question, _, answered, answer = WITH_TOOLS["messages"]
    talk = [question, {"role": "assistant", "content": "", "tool_calls": [call]}, {**answered, **result}, answer]
    return {"messages": talk, "tools": DECLARED}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (example(called("get_wether")), "the tool get_wether is not declared: did you mean get_weather?"),
        (example(called("sum")), "the tool sum is not declared"),
        ({"messages": [OF_THE_CARD["messages"][0], *example(called("sum"))["messages"]]}, "the tool sum is not"),
    ],
)
def test_a_call_of_a_tool_that_is_not_declared(wrong: dict[str, Any], says: str) -> None:
    for before in (b"", line(WITH_TOOLS), line(OF_THE_CARD)):
        found = errors(checked(before + line(wrong)))
        assert [(one.kind, one.message.startswith(says)) for one in found] == [("tool_call", True)]


def test_calls_may_stand_without_any_declaration() -> None:
    bare = {"messages": WITH_TOOLS["messages"]}
    assert not errors(checked(line(WITH_TOOLS) + line(bare)))
    wrong_tools = {**example(called("sum")), "tools": [*DECLARED, 5]}
    assert {one.kind for one in errors(checked(line(wrong_tools)))} == {"tools"}


SHAPES = [
    ({**called(), "id": None}, {"tool_call_id": None}, ["requires an id of the call", "as tool_call_id"]),
    ({key: value for key, value in called().items() if key != "type"}, {}, ["requires a call as"]),
    ({"id": "call_1", "name": "get_weather", "arguments": "{}"}, {}, ["requires a call as"]),
    ({**called(), "function": {"name": "get_weather", "arguments": {"city": "Rome"}}}, {}, ["the arguments as text"]),
]


@pytest.mark.parametrize(("call", "result", "says"), SHAPES, ids=range(len(SHAPES)))
def test_what_services_of_openai_require(call: dict[str, Any], result: dict[str, Any], says: list[str]) -> None:
    data = TEN + line(example(call, **result))
    assert not errors(checked(data))
    assert not errors(checked(data, "trl"))
    for service in ("openai", "azure"):
        found = [one.message for one in errors(checked(data, service))]
        assert len(found) == len(says)
        assert all(text in message for text, message in zip(says, found, strict=True))
        made, _ = convert(data, service)
        assert not errors(checked(b"".join(map(line, made)), service))
