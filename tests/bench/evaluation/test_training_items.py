"""Questions from training data: which answers are asked for, how replies to them are judged, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.evaluation import items as items_module
from phicli.bench.evaluation.expected import Expected
from phicli.bench.evaluation.items import load_items
from phicli.bench.evaluation.types import Item, ItemSet, Reply
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import CheckFailedError, UsageError

QUESTION = '{"question": "2 + 2?", "compare": "number", "answer": 4}'
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Add", "parameters": {"type": "object", "properties": {}}},
}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def example(*messages: dict[str, Any], **more: Any) -> str:
    return json.dumps({"messages": messages, **more})


def load(folder: Path, *lines: str, limit: int | None = None) -> ItemSet:
    path = folder / "set.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return load_items(str(path), limit)


def one_of(folder: Path, *messages: dict[str, Any], **more: Any) -> Item:
    (item,) = load(folder, example(*messages, **more)).items
    return item


def reply(text: str, *calls: dict[str, Any]) -> Reply:
    return Reply(text, "", "stop", 1, 1, 0.0, 0.0, 0.0, tool_calls=calls)


def refused(folder: Path, *lines: str) -> str:
    with pytest.raises(CheckFailedError) as caught:
        load(folder, *lines)
    assert caught.value.hint
    return caught.value.message


def test_each_answer_that_is_trained_on_is_a_question(tmp_path: Path) -> None:
    talk = [{"role": "system", "content": "S"}, user("one"), answer("1"), user("two"), answer("2", weight=0)]
    found = load(tmp_path, example(user("a"), answer("A")), example(*talk, user("three"), answer("3")))
    assert [item.item_id for item in found.items] == ["line-1", "line-2.1", "line-2.3"]
    assert [item.question for item in found.items] == ["a", "one", "three"]
    assert [item.rule.expected for item in found.items] == ["A", "1", "3"]
    last = found.items[2].talk
    assert last is not None
    assert [message.content for message in last.before] == ["S", "one", "1", "two", "2", "three"]
    assert (last.line, last.answer) == (2, Message("assistant", "3"))
    assert found.total >= len(found.items)


def test_the_same_text_is_right(tmp_path: Path) -> None:
    item = one_of(tmp_path, user("q"), answer("The  answer\nis É."))
    for text in ("the answer is e\u0301.", "  The answer is É. "):
        assert item.verdict_on(reply(text)).right
    for text in ("The answer is É", "", "answer"):
        assert not item.verdict_on(reply(text)).right
    assert item.verdict_on(reply("")).reason == "the reply is empty"
    assert item.verdict_on(Reply.none("error", "it crashed")).reason == "it crashed"


def test_reasoning_does_not_count(tmp_path: Path) -> None:
    for more in ({}, {"thinking": "Hm."}):
        text = "four" if more else "<think>Two and two.</think>four"
        item = one_of(tmp_path, user("q"), answer(text, **more))
        assert item.rule.expected == "four"
        assert item.verdict_on(reply("Four")).right
        assert item.verdict_on(reply("<think>Otherwise.</think>\nFour")).right
        assert item.talk is not None
        assert item.talk.f1(reply("<think>three</think>four")) == 1.0
        assert "<think>" in item.talk.answer.content, "it is learned, and counts in the perplexity"


def test_calls_of_tools_are_compared(tmp_path: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2.0}'}}
    talk = [user("1 + 2?"), answer("", tool_calls=[call]), {"role": "tool", "tool_call_id": "c", "content": "3"}]
    called, said = load(tmp_path, example(*talk, answer("It is 3."), tools=[TOOL])).items
    assert called.talk is not None
    assert (called.item_id, called.talk.answer.tool_calls) == ("line-1.1", (ToolCall("add", {"a": 1, "b": 2.0}),))
    assert [tool.name for tool in called.talk.tools] == ["add"]
    right = {"name": "add", "arguments": {"b": 2.0, "a": 1}}
    assert called.verdict_on(reply("", right)).right
    assert called.verdict_on(reply("", {**right, "arguments": {"a": 1.0, "b": 2}})).right
    for wrong in (reply(""), reply("3"), reply("", right, right), reply("", {**right, "arguments": {"a": 1}}),
                  reply("", {**right, "arguments": {"a": True, "b": 2}})):  # fmt: skip
        assert not called.verdict_on(wrong).right
    assert called.talk.f1(reply("", right)) == 1.0
    assert 0 < called.talk.f1(reply("", {"name": "add", "arguments": {"a": 1}})) < 1
    assert (said.question, said.verdict_on(reply("It is 3.")).right) == ("3", True)
    assert not said.verdict_on(reply("It is 3.", right)).right


def test_a_reply_with_calls_is_saved_and_read_again() -> None:
    made = reply("x", {"name": "add", "arguments": {"a": [1, {"b": None}]}})
    assert Reply.from_data(json.loads(json.dumps(made.to_data()))) == made
    old = {name: value for name, value in made.to_data().items() if name != "tool_calls"}
    assert Reply.from_data(old).tool_calls == ()
    for bad in ([1], [{"name": "add"}], [{"name": "add", "arguments": "x"}], 5):
        with pytest.raises(ValueError, match="a saved reply"):
            Reply.from_data({**old, "tool_calls": bad})
    for name, odd in (("prompt_tokens", 1e999), ("total_ms", math.nan), ("finish_reason", "soon")):
        with pytest.raises(ValueError, match="a saved reply"):
            Reply.from_data({**old, name: odd})


def test_a_saved_probability_can_be_one() -> None:
    made = Expected.of((1, 2), (-103.0, -0.5))
    assert Expected.from_data(json.loads(json.dumps(made.to_data()))) == made
    for name, odd in (("expected_tokens", 10**400), ("expected_log_probability", -1e6), ("expected_digest", 5)):
        with pytest.raises(ValueError, match="a saved probability"):
            Expected.from_data({**made.to_data(), name: odd})


def test_long_answers_get_room(tmp_path: Path) -> None:
    short, long = load(tmp_path, example(user("a"), answer("A")), example(user("b"), answer("word " * 1000))).items
    assert short.max_tokens is not None
    assert long.max_tokens is not None
    assert short.max_tokens < 256
    assert long.max_tokens > 2500


def test_line_ends_of_windows_a_mark_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    lines = ["", example(user("a"), answer("A")), "", example(user("b"), answer("B"))]
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    assert [item.item_id for item in load_items(str(path)).items] == ["line-2", "line-4"]


def test_files_of_two_kinds_are_refused_by_line(tmp_path: Path) -> None:
    lines = [example(user("a"), answer("A")), example(user("compare"), answer('"compare": 1'))]
    assert len(load(tmp_path, *lines).items) == 2, "the word alone makes no question"
    assert "line 3: a question stands in training data" in refused(tmp_path, *lines, QUESTION)
    assert "line 2: it is training data, but the file begins" in refused(tmp_path, QUESTION, lines[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (example(user("b")), "line 2: the last message is not an answer"),
        (example(user("b"), answer("B"))[:-1], "line 2: "),
        (example(user("a"), answer("A")), "line 2: the same example as in line 1"),
        (example(user("b"), answer("")), "line 2: the answer is empty"),
        (example(user("b"), answer("B", weight=0)), "line 2: every answer has the weight 0"),
    ],
)
def test_what_the_check_of_training_data_refuses_is_refused(tmp_path: Path, line: str, said: str) -> None:
    message = refused(tmp_path, example(user("a"), answer("A")), line)
    assert said in message
    assert "1 error as training data" in message


def test_other_forms_of_training_data_are_named(tmp_path: Path) -> None:
    for line in ('{"conversations": []}', '{"prompt": "a", "completion": "b"}', '{"instruction": "x", "output": "y"}'):
        assert "phi data convert" in refused(tmp_path, line)


def test_a_limit_keeps_the_first_answers_and_the_numbers_of_all(tmp_path: Path) -> None:
    lines = [example(user(f"{n}?"), answer(f"{n}"), user("again"), answer(f"{n} again")) for n in range(50)]
    whole, few = load(tmp_path, *lines), load(tmp_path, *lines, limit=3)
    assert [item.item_id for item in few.items] == ["line-1.1", "line-1.2", "line-2.1"]
    assert (few.total, few.sha256) == (whole.total, whole.sha256)
    assert whole.total == len(whole.items) == 100


def test_a_file_that_is_larger_than_memory_allows_needs_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items_module, "_LARGEST_BYTES", 1000)
    lines = [example(user(f"{n}?"), answer(f"{n}")) for n in range(50)]
    with pytest.raises(UsageError, match="larger than"):
        load(tmp_path, *lines)
    assert [item.item_id for item in load(tmp_path, *lines, limit=2).items] == ["line-1", "line-2"]
    with pytest.raises(UsageError, match="larger than"):
        load(tmp_path, *([QUESTION] * 50), limit=2)
