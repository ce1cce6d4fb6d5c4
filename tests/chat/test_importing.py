"""What is accepted as a conversation, and what is said about everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phicli.chat.importing import read_conversation, read_conversation_file
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import NotFoundError, UsageError

HELLO = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]}


def read(data: Any) -> Any:
    return read_conversation(json.dumps(data).encode(), "x.json")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"messages": HELLO}),
        json.dumps(HELLO, indent=4),
        "\n\n".join(map(json.dumps, HELLO)) + "\n",
        "\r\n".join(map(json.dumps, HELLO)),
    ],
    ids=["object", "list", "lines", "lines of Windows"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_forms(content: str, encoding: str) -> None:
    found = read_conversation(content.encode(encoding), "x.json")
    assert (found.name, found.model) == (None, None)
    (turn,) = found.dialogue.turns
    assert (turn.question, turn.replies, turn.facts) == ("Hello", (Message("assistant", "Hi!"),), None)


def test_other_ways_to_write_the_same() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    found = read(
        {
            "model": "gpt-4o",
            "name": "",
            "temperature": 1,
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "system", "content": "Be loud."},
                {"role": "user", "content": parts, "name": "me"},
                {"role": "assistant", "content": "HI", "refusal": None},
            ],
        }
    )
    assert (found.name, found.model, found.dialogue.system) == (None, "gpt-4o", "Be brief.\n\nBe loud.")
    assert found.dialogue.turns[0].question == "Hello"


def test_tool_messages_are_kept_in_the_order_of_their_calls() -> None:
    results = [
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
    ]
    found = read([HELLO[0], CALLED, *results, HELLO[1]])
    call = ToolCall("add", {"a": 1})
    assert found.dialogue.turns[0].replies == (
        Message("assistant", "", (call, call)),
        Message("tool", "one"),
        Message("tool", "two"),
        Message("assistant", "Hi!"),
    )


def test_a_question_without_an_answer_is_a_turn() -> None:
    found = read([HELLO[0], *HELLO, HELLO[0]])
    assert [turn.answer is None for turn in found.dialogue.turns] == [True, False, True]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"text": "x"}, "x.json has no messages"),
        ([], "x.json has no messages"),
        ("hello", "the messages are not a list"),
        ({"messages": {}}, "the messages are not a list"),
        ({"messages": HELLO, "name": 3}, "name is not a string"),
        (["hello"], "message 1 is not an object"),
        ([{"role": "bot", "content": "x"}], "message 1: unknown role: 'bot'"),
        ([{"content": "x"}], "message 1: unknown role: None"),
        ([{"role": ["user"], "content": "x"}], "message 1: unknown role: ['user']"),
        ([{"role": "user"}], "message 1: it has no content"),
        ([{"role": "user", "text": "hi"}], "message 1: it has no content"),
        ([{"role": "user", "content": 3}], "message 1: content is not a string"),
        ([{"role": "user", "content": " "}], "message 1 is empty"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "message 1 has a part of the type 'image_url'"),
        ([{"role": "user", "content": [3]}], "message 1 has a part of the type None"),
        ([{"role": "user", "content": "\ud83d"}], "message 1 has \\ud83d alone"),
        ([{"role": "system", "content": "x"}], "no message of the role user"),
        ([HELLO[1]], "message 1: an answer must follow a question"),
        ([*HELLO, HELLO[1]], "message 3: an answer must follow a question"),
        ([*HELLO, {"role": "system", "content": "x"}], "message 3: a system message must come before"),
        ([HELLO[0], {"role": "assistant", "content": None}], "message 2: content is not a string"),
        ([*HELLO, {"role": "tool", "content": "1"}], "message 3: a tool result must follow a tool call"),
        ([HELLO[0], CALLED, {"role": "tool", "tool_call_id": "c3", "content": ""}], "unknown tool_call_id: 'c3'"),
        ([HELLO[0], CALLED, {"role": "tool", "tool_call_id": "c1", "content": ""}, HELLO[1]],
         "message 4: the result of add must come before it"),
        ([HELLO[0], CALLED, *[{"role": "tool", "content": ""}] * 2], "ends with a tool result"),
        ([HELLO[0], {**HELLO[1], "tool_calls": [{"id": "c1"}]}], "message 2: tool call 1 has no function"),
        ([HELLO[0], {**HELLO[1], "tool_calls": 3}], "message 2: tool_calls is not a list"),
        ([HELLO[0], {**HELLO[1], "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
         "tool call 1: the arguments are not JSON: '{'"),
        ([HELLO[0], {**HELLO[1], "tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]}],
         "the arguments are not a JSON object"),
        ([{**HELLO[0], "attachments": [{"name": "x"}]}], "an attachment has no name or no text"),
        ([{**HELLO[0], "attachments": "x"}], "attachments is not a list"),
        ([HELLO[0], {**HELLO[1], "facts": []}], "facts is not an object"),
        ([{"role": "system", "content": "a", "summary": True}, {"role": "system", "content": "b", "summary": True}],
         "message 2 is a second summary"),
    ],
)  # fmt: skip
def test_what_is_refused(data: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(data)
    assert says in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "x.json is empty"),
        (b" \n ", "x.json is empty"),
        (b"hello", "x.json is not JSON: Expecting value"),
        (b'{"messages": [', "x.json is not JSON"),
        (b"[" * 100_000, "x.json is not JSON"),
        (b'[{"role": "user", "content": NaN}]', "x.json is not JSON"),
        (b'{"role": "user", "content": "a"}\n{"role": ', "line 2 of x.json is not JSON"),
        (b'{"messages": []}\n\n{"messages": []}', "several conversations"),
        (b'{"a": "\xff"}', "byte 0xff at offset 7"),
    ],
)
def test_what_is_not_json(content: bytes, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_conversation(content, "x.json")
    assert says in refused.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_conversation_file(tmp_path / "none.json")
    with pytest.raises(UsageError, match="not a regular file"):
        read_conversation_file(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_conversation_file(Path("a\0b"))
