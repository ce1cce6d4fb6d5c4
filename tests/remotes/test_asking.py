"""Requests to remotes as the server and batches make them: tools that must be called, forms, seeds, retries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.formed import FormError
from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import CheckFailedError, UsageError
from phicli.remotes.asking import RemoteAsking
from phicli.structured.form import SchemaForm
from phicli.tools.types import Tool
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import HELLO, chunk, in_turn, notices_in, raw, remote_model

ADD = Tool(
    "add",
    "Adds.",
    {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False},
)
OTHER = Tool("other", "", {"type": "object", "properties": {}})
AGE: dict[str, Any] = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


def text(*pieces: str, finish: str = "stop") -> Behaviour:
    """An answer of text."""
    return Behaviour(pieces=pieces, finish=finish)


def called(name: str, arguments: str) -> Behaviour:
    """An answer that calls a tool."""
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}
    return raw(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))


def asked_of(endpoint: Endpoint, asked: Asked, index: int = 0, **more: Any) -> list[Event]:
    """The events of an answer."""
    with remote_model(endpoint.url) as model:
        return list(RemoteAsking(model, **more).answering(asked, index))


def answer_in(events: list[Event]) -> Answer:
    """The last event."""
    assert isinstance(events[-1], Answer)
    return events[-1]


def test_each_answer_has_its_seed() -> None:
    with Endpoint(lambda _: text("x")) as endpoint:
        for index in range(3):
            asked_of(endpoint, Asked("m", HELLO, sampling={"seed": 40}, answers=3), index)
        assert [one.body["seed"] for one in endpoint.chats] == [40, 41, 42]
        asked_of(endpoint, Asked("m", HELLO))
        assert "seed" in endpoint.chats[-1].body


def test_a_text_without_a_conversation_is_refused() -> None:
    with Endpoint() as endpoint, remote_model(endpoint.url) as model:
        with pytest.raises(UsageError, match="lab/phi-4 answers conversations"):
            RemoteAsking(model).answering(Asked("m", text="Once upon"))
        assert endpoint.asked == []


def test_an_answer_without_the_form_is_asked_for_again_with_another_seed() -> None:
    with Endpoint(in_turn(text("not JSON"), text('{"age": "old"}'), text('{"age": 3}'))) as endpoint:
        events = asked_of(endpoint, Asked("m", HELLO, form=SchemaForm(AGE), sampling={"seed": 5, "max_tokens": 50}))
        bodies = [one.body for one in endpoint.chats]
    answer = answer_in(events)
    assert (answer.parsed, answer.attempts, answer.text) == ({"age": 3}, 3, '{"age": 3}')
    assert [body["seed"] for body in bodies] == [5, 6, 7]
    assert [body["temperature"] > 0 for body in bodies] == [False, True, True]
    assert all(body["response_format"]["json_schema"]["schema"] == AGE for body in bodies)
    assert [body["response_format"]["json_schema"]["strict"] for body in bodies] == [False] * 3
    assert len([one for one in notices_in(events) if "does not match the schema" in one]) == 2


def test_wrong_answers_are_found_although_the_remote_promised() -> None:
    with Endpoint(lambda _: text('{"age": "old"}')) as endpoint:
        with pytest.raises(FormError) as caught:
            asked_of(endpoint, Asked("m", HELLO, form=SchemaForm(AGE)), retries=1)
        assert len(endpoint.chats) == 2
    assert "/age: 'old' is not of type 'integer'" in caught.value.message
    assert caught.value.answer.text == '{"age": "old"}'


def test_a_schema_that_is_refused_is_only_checked() -> None:
    said = json.dumps({"error": {"message": "Invalid schema for response_format 'answer'"}}).encode()
    with Endpoint() as endpoint:
        endpoint.behave = lambda _: (
            Behaviour(status=400, body=said) if "response_format" in endpoint.current.body else text('{"age": 3}')
        )
        with remote_model(endpoint.url) as model:
            asking = RemoteAsking(model)
            first, second = (list(asking.answering(Asked("m", HELLO, form=SchemaForm(AGE)))) for _ in range(2))
        assert [("response_format" in one.body) for one in endpoint.chats] == [True, False, False]
    assert answer_in(first).parsed == answer_in(second).parsed == {"age": 3}
    assert [one for one in notices_in(first) if "only checked" in one]
    assert notices_in(second) == []


def test_tools_are_declared_and_called() -> None:
    with Endpoint(lambda _: called("add", '{"x": 1}')) as endpoint:
        answer = answer_in(asked_of(endpoint, Asked("m", HELLO, tools=(ADD, OTHER))))
        body = endpoint.chats[0].body
    assert answer.tool_calls == (ToolCall("add", {"x": 1}),)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["add", "other"]
    assert "tool_choice" not in body


def test_a_wrong_call_is_fed_back_once() -> None:
    with Endpoint(in_turn(called("add", '{"x": "one"}'), called("add", '{"x": 1}'))) as endpoint:
        events = asked_of(endpoint, Asked("m", HELLO, tools=(ADD,)))
        again = endpoint.chats[1].body["messages"]
    assert answer_in(events).tool_calls == (ToolCall("add", {"x": 1}),)
    assert [message["role"] for message in again] == ["user", "assistant", "tool"]
    assert again[1]["tool_calls"][0]["id"] == again[2]["tool_call_id"]
    assert "is not of type 'integer'" in again[2]["content"]
    assert any("wrong tool call" in one for one in notices_in(events))


def test_a_measurement_takes_a_wrong_call_as_it_is() -> None:
    with Endpoint(lambda _: called("add", '{"x": "one"}')) as endpoint:
        events = asked_of(endpoint, Asked("m", HELLO, tools=(ADD, OTHER)), corrects=False)
        (request,) = endpoint.chats
    assert answer_in(events).tool_calls == (ToolCall("add", {"x": "one"}),)
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["add", "other"]
    assert not any("wrong tool call" in one for one in notices_in(events))


@pytest.mark.parametrize(
    ("tools", "callable_tools", "choice", "declared"),
    [
        ((ADD, OTHER), None, "required", ["add", "other"]),
        ((ADD, OTHER), frozenset({"add"}), {"type": "function", "function": {"name": "add"}}, ["add"]),
    ],
)
def test_a_call_that_is_required_is_asked_for(
    tools: tuple[Tool, ...], callable_tools: frozenset[str] | None, choice: Any, declared: list[str]
) -> None:
    asked = Asked("m", HELLO, tools=tools, tool_choice="required", callable_tools=callable_tools, several_calls=False)
    with Endpoint(in_turn(text("No."), called("add", '{"x": 1}'))) as endpoint:
        events = asked_of(endpoint, asked)
        body = endpoint.chats[0].body
    assert answer_in(events).tool_calls == (ToolCall("add", {"x": 1}),)
    assert body["tool_choice"] == choice
    assert body["parallel_tool_calls"] is False
    assert [tool["function"]["name"] for tool in body["tools"]] == declared
    with Endpoint(lambda _: text("No.")) as endpoint, pytest.raises(CheckFailedError, match="no tool was called"):
        asked_of(endpoint, asked)


def test_without_tools_to_call_none_are_declared() -> None:
    with Endpoint(lambda _: text("Hi")) as endpoint:
        asked_of(endpoint, Asked("m", HELLO, tools=(ADD,), tool_choice="none"))
        assert not endpoint.chats[0].body.keys() & {"tools", "tool_choice"}


def test_an_answer_has_calls_or_else_the_form() -> None:
    for how, parsed in ((called("add", '{"x": 1}'), None), (text('{"age": 3}'), {"age": 3})):
        with Endpoint(in_turn(how)) as endpoint:
            answer = answer_in(asked_of(endpoint, Asked("m", HELLO, tools=(ADD,), form=SchemaForm(AGE))))
            assert endpoint.chats[0].body.keys() >= {"tools", "response_format"}
        assert (answer.parsed, bool(answer.tool_calls)) == (parsed, parsed is None)


def test_a_begun_answer_goes_on() -> None:
    begun = (*HELLO, Message("assistant", "One"))
    with Endpoint(lambda _: text(" two")) as endpoint:
        assert answer_in(asked_of(endpoint, Asked("m", begun))).text == " two"
        assert endpoint.chats[0].body["messages"][-1] == {"role": "assistant", "content": "One"}
