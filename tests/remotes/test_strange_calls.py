"""Tool calls of remotes that are not as documented."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from phicli.answering.types import Answer
from phicli.chat_format.types import ToolCall
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import answer_of, chunk, raw, remote_model


def calls_of(*parts: Any, finish: str = "tool_calls") -> Answer:
    """The answer to a stream with these parts of calls."""
    events = [chunk({"tool_calls": list(part) if isinstance(part, list) else [part]}) for part in parts]
    with Endpoint(lambda _: raw(*events, chunk({}, finish))) as endpoint, remote_model(endpoint.url) as model:
        return answer_of(model, tools='[{"name": "add", "description": "", "parameters": {}}]')


def call(index: Any, call_id: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    """A part of a call."""
    return {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "parts",
    [
        [call(0, "a", "add", ""), call(0, None, None, '{"x": '), call(0, None, None, "1}")],
        [call(0, "a", "add", '{"x": '), call(0, "a", "add", "1}")],
        [call(None, "a", "add", '{"x": 1}')],
        [call(0, "a", "add", {"x": 1})],
        [call(0, "a", "add", '"{\\"x\\": 1}"')],
        [call(0, "a", "add", "{'x': 1}")],
        [call(0, "", "ad", '{"x"'), call(0, "", "d", ": 1}")],
    ],
    ids=["parts", "name again", "no index", "object", "encoded twice", "python", "name in parts"],
)
def test_a_call_in_any_shape_is_one_call(parts: Sequence[Any]) -> None:
    answer = calls_of(*parts)
    assert answer.tool_calls == (ToolCall("add", {"x": 1}),)
    assert (answer.text, answer.finish_reason) == ("", "tool_calls")


def test_calls_that_all_have_the_number_0_are_several() -> None:
    answer = calls_of(call(0, "a", "add", '{"x": 1}'), call(0, "b", "add", '{"x": 2}'))
    assert [dict(one.arguments) for one in answer.tool_calls] == [{"x": 1}, {"x": 2}]


def test_without_arguments_there_are_none() -> None:
    assert calls_of(call(0, "a", "add", ""), call(1, "b", "add", "null")).tool_calls == (ToolCall("add", {}),) * 2


def test_a_call_that_cannot_be_read_is_shown_as_the_model_wrote_it() -> None:
    answer = calls_of(call(0, "a", "add", '{"x": oops'))
    assert answer.tool_calls == ()
    assert answer.text == '<|tool_call|>[{"name": "add", "arguments": {"x": oops}]'
    assert calls_of(call(0, "a", "add", '{"x": '), finish="length").text == ""


@pytest.mark.parametrize(
    "arguments", ['{"x": NaN}', '{"x": 1e999}', "[1]", "3", '{"x": 1}, "name": "other"', '{"x": 1}}, {"name": "other"']
)
def test_what_is_not_an_object_of_json_is_not_a_call(arguments: str) -> None:
    answer = calls_of(call(0, "a", "add", arguments))
    assert answer.tool_calls == ()
    assert arguments in answer.text


def test_calls_in_the_text_are_found_where_the_server_does_not_look_for_them() -> None:
    text = ("<|tool", '_call|>[{"name": "add", "argu', 'ments": {"x": 1}}]<|/tool_call|>')
    how = Behaviour(pieces=text, finish="stop")
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        answer = answer_of(model, tools='[{"name": "add", "description": "", "parameters": {}}]')
        assert (answer.tool_calls, answer.text) == ((ToolCall("add", {"x": 1}),), "")
        assert answer.finish_reason == "tool_calls"
        assert answer_of(model).text == "".join(text), "without tools it is text"
