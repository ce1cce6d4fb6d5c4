"""Messages of requests: their order, their contents, calls and results."""

from __future__ import annotations

from phicli.chat_format.types import Message, ToolCall
from tests.server.test_openai_requests import HELLO, call, read, result


def test_roles_stay_in_their_order() -> None:
    roles = ["developer", "system", "user", "user", "assistant", "assistant", "system", "user"]
    read_roles = [message.role for message in read(*({"role": role, "content": role} for role in roles)).asked.messages]
    assert read_roles == ["system", "system", "user", "user", "assistant", "assistant", "system", "user"]


def test_contents() -> None:
    parts = [{"type": "text", "text": "a", "cache_control": {}}, {"type": "text", "text": "b"}]
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    empty = {"role": "assistant", "content": None, "refusal": "never"}
    asked = read({"role": "user", "content": parts}, refused, empty, HELLO).asked
    assert [message.content for message in asked.messages] == ["a\nb", "no", "never", "Hello"]


def test_calls_and_their_results_in_any_order() -> None:
    calls = [call("get_weather", "1", '{"city": "Rome"}'), call("now", "2", ""), call("now", "3", {"a": 1})]
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    asked = read(HELLO, said, result("third", "3"), result("first", "1"), result("second", "2"), HELLO).asked
    assert asked.messages[1] == Message(
        "assistant", "", (ToolCall("get_weather", {"city": "Rome"}), ToolCall("now", {}), ToolCall("now", {"a": 1}))
    )
    assert [message.content for message in asked.messages[2:]] == ["first", "second", "third", "Hello"]


def test_results_without_ids_belong_to_the_calls_in_turn() -> None:
    said = {"role": "assistant", "tool_calls": [call("now", None), call("now", None)]}
    asked = read(HELLO, said, result("a", None), result("b", None)).asked
    assert [message.content for message in asked.messages[2:]] == ["a", "b"]


def test_thousands_of_results_take_no_time() -> None:
    many = 5000
    said = {"role": "assistant", "tool_calls": [call("now", str(at)) for at in range(many)]}
    asked = read(HELLO, said, *(result(str(at), str(at)) for at in reversed(range(many)))).asked
    assert [message.content for message in asked.messages[2:]] == [str(at) for at in range(many)]
    same = {"role": "assistant", "tool_calls": [call("now", "x"), call("now", None), call("now", "x")]}
    asked = read(HELLO, same, result("a", "x"), result("b", "x"), result("c", "x")).asked
    assert [message.content for message in asked.messages[2:]] == ["a", "c", "b"]


def test_an_answer_that_is_begun_comes_last() -> None:
    begun = {"role": "assistant", "content": "It is"}
    assert read(HELLO, begun).asked.messages[-1] == Message("assistant", "It is")
    assert read(HELLO, {"role": "assistant", "content": ""}).asked.messages == (Message("user", "Hello"),)
