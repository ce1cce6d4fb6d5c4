"""Variants of the example of the documents that are broken, each refused with the right line and the right place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.training_data.examples import (
    GOOD,
    OF_THE_CARD,
    THINKING,
    WITH_TOOLS,
    called,
    checked,
    errors,
    line,
    numbered,
)

BEFORE = 3
"""Good lines in front of the broken one."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Lines that are broken, the kind and the place of the finding, and words of its message."""

    name: str
    data: bytes
    kind: str
    place: str
    says: str
    column: int = 0


def changed(change: Callable[[Any], object], example: dict[str, Any] = GOOD) -> bytes:
    made = copy.deepcopy(example)
    change(made)
    return line(made)


def message(number: int, **values: Any) -> bytes:
    return changed(lambda one: one["messages"][number].update(values))


def replaced(old: str, new: str) -> bytes:
    text = line(GOOD).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


SECRET = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5"
BROKEN = [
    Broken("cut", line(GOOD)[:70] + b"\n", "json", "", "a text is not closed on this line", 45),
    Broken("cut between", b'{"messages": [\n', "json", "", "one example must stand on one line", 15),
    Broken("comma behind", line(GOOD)[:-1] + b",\n", "json", "", "a comma stands behind the example", 210),
    Broken("comma inside", replaced('"}]}', '"},]}'), "json", "", "a comma stands in front of ]"),
    Broken("single quotes", line(GOOD).replace(b'"', b"'"), "json", "", "double quotes", 2),
    Broken("Python's word", replaced('"You are a helpful assistant."', "None"), "json", "", "None is not a JSON", 45),
    Broken("NaN", replaced('"You are a helpful assistant."', "NaN"), "json", "", "NaN is not a JSON value"),
    Broken("line break", replaced("helpful ", "helpful\x01"), "json", "", "control character", 63),
    Broken("Latin-1", line(GOOD).replace(b"Paris", b"Orl\xe9ans"), "encoding", "", "0xe9, which Latin-1 has", 203),
    Broken("joined files", b"\xef\xbb\xbf" + line(GOOD), "json", "", "two files were joined", 1),
    Broken("two on a line", line(GOOD)[:-1] + line(GOOD), "json", "", "several examples", 210),
    Broken("a list", line(GOOD["messages"]), "shape", "", "a list is not an example"),
    Broken("a text", b'"Paris"\n', "shape", "", "text is not an example"),
    Broken("no messages", b"{}\n", "shape", "", "no messages"),
    Broken("empty messages", b'{"messages": []}\n', "shape", "messages", "empty"),
    Broken("misspelled key", changed(lambda one: one.update(mesages=[])), "unknown_key", "mesages", "mean messages"),
    Broken("ShareGPT", b'{"conversations": []}\n', "unknown_key", "conversations", "ShareGPT"),
    Broken("a person's key", changed(lambda one: one.update(group=1)), "unknown_key", "group", "--allow-key"),
    Broken("key of a message", message(1, contents="x"), "unknown_key", "messages[1].contents", "mean content"),
    Broken("twice", replaced('"content": "The', '"content": "Rome", "content": "The'), "repeated_key", "", "twice"),
    Broken("unknown role", message(1, role="human"), "role", "messages[1].role", "did you mean user?"),
    Broken("no role", changed(lambda one: one["messages"][1].pop("role")), "role", "messages[1].role", "has no role"),
    Broken("late system", changed(lambda one: one["messages"].insert(2, one["messages"].pop(0))), "order",
           "messages[2]", "not the first message"),
    Broken("two questions", changed(lambda one: one["messages"].insert(1, {"role": "user", "content": "x"})), "order",
           "messages[2]", "a question follows a question"),
    Broken("two answers", changed(lambda one: one["messages"].append({"role": "assistant", "content": "x"})), "order",
           "messages[3]", "an answer follows an answer"),
    Broken("answer first", changed(lambda one: one["messages"].pop(1)), "order", "messages[1]",
           "an answer comes first"),
    Broken("no answer", changed(lambda one: one["messages"].pop()), "order", "messages[1]", "not an answer"),
    Broken("empty answer", message(2, content=" \n"), "empty", "messages[2].content", "the answer is empty"),
    Broken("empty question", message(1, content=""), "empty", "messages[1].content", "the question is empty"),
    Broken("no content", message(2, content=None), "empty", "messages[2].content", "no content"),
    Broken("a number", message(2, content=42), "content", "messages[2].content", "a number, not text"),
    Broken("an image", message(1, content=[{"type": "image_url", "image_url": {"url": "x"}}]), "content",
           "messages[1].content[0]", "image_url"),
    Broken("special token", message(1, content="Hi<|end|>"), "special_token", "messages[1].content", "<|end|>"),
    Broken("special of Phi-4", message(2, content="<|im_sep|>"), "special_token", "messages[2].content", "<|im_sep|>"),
    Broken("escaped special", replaced("France?", r"\u003c|user|\u003e"), "special_token", "messages[1].content",
           "<|user|>"),
    Broken("half a character", replaced("France?", r"\ud83d"), "surrogate", "messages[1].content", r"\ud83d"),
    Broken("a secret", message(1, content=f"My token is {SECRET}"), "secret", "messages[1].content", "a GitHub token"),
    Broken("weight", message(2, weight=0.5), "weight", "messages[2].weight", "0 or 1"),
    Broken("nothing trained", message(2, weight=0), "weight", "messages", "nothing to train on"),
    Broken("open reasoning", message(2, content="<think>x"), "reasoning", "messages[2].content", "not closed"),
    Broken("only reasoning", message(2, content="<think>x</think> "), "reasoning", "messages[2].content", "no answer"),
    Broken("result without call", changed(lambda one: one["messages"].pop(1), WITH_TOOLS), "tool_result", "messages[1]",
           "does not follow"),
    Broken("call without result", changed(lambda one: one["messages"].pop(2), WITH_TOOLS), "tool_result", "messages[2]",
           "get_weather is missing"),
    Broken("another id", changed(lambda one: one["messages"][2].update(tool_call_id="x"), WITH_TOOLS), "tool_result",
           "messages[2].tool_call_id", "no call has the id"),
    Broken("arguments", changed(lambda one: one["messages"][1].update(tool_calls=[called(arguments="{")]), WITH_TOOLS),
           "tool_call", "messages[1].tool_calls[0].arguments", "not JSON"),
    Broken("no tools", changed(lambda one: one.update(tools=[]), WITH_TOOLS), "tools", "tools", "not a list with"),
    Broken("tool without name", changed(lambda one: one["tools"][0]["function"].pop("name"), WITH_TOOLS), "tools",
           "tools[0]", "no name"),
    Broken("deep", b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "json", "", "nested too deeply"),
    Broken("huge number", b'{"messages": ' + b"1" * 5000 + b"}\n", "json", "", "digits"),
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.name)
def test_a_broken_variant_is_refused_with_its_line(broken: Broken) -> None:
    report = checked(b"".join([*numbered(BEFORE), broken.data, *numbered(3, 10)]))
    found = errors(report)
    assert not report.usable
    assert {one.line for one in found} == {BEFORE + 1}, found
    first = next((one for one in found if one.kind == broken.kind), None)
    assert first is not None, found
    assert (first.place, broken.says.lower() in first.message.lower()) == (broken.place, True), first
    if broken.column:
        assert first.column == broken.column, first
    assert report.files[0].lines == BEFORE + 4, "the lines behind it are checked too"
    assert SECRET not in json.dumps(report.to_data())


def test_there_are_thirty_of_them() -> None:
    assert len({one.data for one in BROKEN}) >= 30


@pytest.mark.parametrize(
    "example", [GOOD, WITH_TOOLS, OF_THE_CARD, THINKING], ids=["plain", "tools", "card", "thinking"]
)
def test_the_examples_of_the_documents_pass(example: dict[str, Any]) -> None:
    report = checked(line(example))
    assert (report.usable, errors(report)) == (True, [])
    assert report.files[0].examples == 1
