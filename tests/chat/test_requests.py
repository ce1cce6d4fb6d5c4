"""Lists of messages that ask a model something."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.importing import read_request
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import UsageError

WEATHER = {"name": "get_weather", "arguments": {"city": "Paris"}}
TOOLS = [{"name": "get_weather"}]
USER = {"role": "user", "content": "a"}


def asked(messages: Any) -> tuple[Dialogue, Turn]:
    content = messages if isinstance(messages, str) else json.dumps(messages)
    return read_request(content.encode(), "FILE")


MESSAGES = [
    ([], "has no messages"),
    ({"messages": "x"}, "the messages are not a list"),
    ([{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}], "message 2: unknown role: 'robot'"),
    (
        [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, {"role": "user", "content": "c"}],
        "message 2: the system message is a second one",
    ),
    ([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}], "message 2: the system message is behind"),
    ([{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}], "message 2: a tool result must follow"),
    ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "message 2: the last message is an"),
    ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "message 2: a question must follow an"),
    (
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [WEATHER]}],
        "message 2: 1 of the tool results behind it are missing",
    ),
    ([{"role": "system", "content": "a"}], "message 1 is the last one, but none has the role user"),
    ({"messages": [{"role": "user", "content": "a"}], "tools": TOOLS}, "declares tools next to its messages"),
    ("{oops", "is not JSON"),
]


@pytest.mark.parametrize(("messages", "why"), MESSAGES, ids=[why for _, why in MESSAGES])
def test_wrong_messages_are_named_by_their_number(messages: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(messages)
    assert f"FILE{'' if why.startswith((' ', 'has', 'is', 'declares')) else ': '}" in caught.value.message
    assert why in caught.value.message


def test_a_question_alone() -> None:
    for messages in ([USER], USER, {"messages": [USER]}, json.dumps(USER) + "\n"):
        assert asked(messages) == (Dialogue(), Turn("a"))


def test_what_was_said_before() -> None:
    answer = {"role": "assistant", "content": "b"}
    before, turn = asked([{"role": "developer", "content": "s"}, USER, answer, USER])
    assert before == Dialogue("s", (Turn("a", replies=(Message("assistant", "b"),)),))
    assert turn == Turn("a")


def test_an_empty_system_message_is_one() -> None:
    assert asked([{"role": "system", "content": ""}, USER])[0] == Dialogue("")


@pytest.mark.parametrize(
    "call",
    [
        WEATHER,
        {"id": "x", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}},
    ],
)
def test_calls_and_results_are_steps_behind_the_question(call: Any) -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [call]}
    before, turn = asked([USER, calls, {"role": "tool", "content": "sunny"}])
    steps = (Message("assistant", "", (ToolCall("get_weather", {"city": "Paris"}),)), Message("tool", "sunny"))
    assert (before, turn) == (Dialogue(), Turn("a", steps=steps))
    assert before.messages(turn) == (Message("user", "a"), *steps)
