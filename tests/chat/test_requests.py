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
ANSWER = {"role": "assistant", "content": "b"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "x", **WEATHER}]}
FIVE_CALLS = {"role": "assistant", "tool_calls": [{"name": f"f{number}"} for number in range(5)]}
RESULT = {"role": "tool", "content": "sunny"}


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
    ([USER, CALL], "message 2: the result of get_weather must come behind it"),
    ([USER, CALL, USER], "message 3: the result of get_weather must come before it"),
    ([USER, CALL, ANSWER, USER], "message 3: the result of get_weather must come before it"),
    ([USER, CALL, RESULT, CALL, USER], "message 5: the result of get_weather must come before it"),
    ([USER, FIVE_CALLS, RESULT, USER], "message 4: the results of f1, f2, f3 and 1 more must come before it"),
    ([USER, FIVE_CALLS, RESULT], "message 3: the results of f1, f2, f3 and 1 more must come behind it"),
    ([USER, CALL, RESULT, RESULT], "message 4: a tool result must follow a tool call"),
    ([USER, CALL, {**RESULT, "tool_call_id": "y"}], "message 3: unknown tool_call_id: 'y'"),
    ([ANSWER], "message 1: the last message is an answer"),
    ([{"role": "user", "content": " "}], "message 1 is empty"),
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


def test_what_several_calls_get_stands_in_their_order() -> None:
    calls = {"role": "assistant", "tool_calls": [{"id": f"id{number}", "name": f"f{number}"} for number in range(3)]}
    results = [{"role": "tool", "tool_call_id": f"id{number}", "content": str(number)} for number in (2, 0, 1)]
    _, turn = asked([USER, calls, *results])
    assert [message.content for message in turn.steps] == ["", "0", "1", "2"]


@pytest.mark.parametrize(
    "messages",
    [
        [USER, USER],
        [USER, USER, ANSWER, USER],
        [USER, ANSWER, USER, USER, USER],
        [USER, ANSWER, ANSWER, USER],
        [ANSWER, USER],
        [ANSWER, ANSWER, USER, ANSWER, USER, USER],
        [USER, CALL, RESULT, USER, USER],
        [USER, USER, CALL, RESULT],
        [USER, CALL, RESULT, ANSWER, CALL, RESULT],
    ],
    ids=lambda messages: " ".join(message["role"] for message in messages),
)
def test_all_orders_that_clients_send_are_sent_as_they_are(messages: Any) -> None:
    before, turn = asked([{**message, "content": str(at)} for at, message in enumerate(messages)])
    sent = [(message.role, message.content) for message in before.messages(turn)]
    assert sent == [(message["role"], str(at)) for at, message in enumerate(messages)]


def test_a_long_list_is_read_in_one_go() -> None:
    """Quadratic work would take minutes."""
    count = 100_000
    calls = {"role": "assistant", "tool_calls": [{"name": "f"}] * count}
    _, turn = asked([USER, calls, *[RESULT] * count])
    assert len(turn.steps) == count + 1
    assert len(asked([USER] * count)[1].steps) == count - 1
