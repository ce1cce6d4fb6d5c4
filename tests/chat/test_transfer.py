"""Conversations on their way out of ``phi`` and back."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.adapters.registry import RegisteredAdapter, remember
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.importing import read_conversation
from phicli.chat.transfer import made_by, markdown_text, messages_data, openai_data
from phicli.chat_format.types import Message, ToolCall
from phicli.ui.envelope import json_text
from tests.support.sessions import FACTS, dialogue_of

LETTERS = 'ab \n\t`#"\\\0\x85\u2028\u202e\ufeffé漢😀'
CALL = ToolCall("add", {"a": 1, "b": [None, {"c": "漢"}]})


def replies_with_tools(calls: list[ToolCall], results: list[str], said: str, answer: str) -> tuple[Message, ...]:
    given = [Message("tool", text) for text in results]
    return (Message("assistant", said, tuple(calls)), *given, Message("assistant", answer))


def any_dialogue(chance: random.Random) -> Dialogue:
    """A conversation that ``phi`` can have saved, with everything in it that there can be."""

    def text() -> str:
        return "".join(chance.choices(LETTERS, k=chance.randint(0, 12)))

    def turn() -> Turn:
        calls = [CALL] * chance.randint(1, 3)
        replies = chance.choice(
            [
                (),
                (Message("assistant", text()),),
                (Message("assistant", text(), (CALL,)),),
                replies_with_tools(calls, [text() for _ in calls], text(), text()),
            ]
        )
        attachments = tuple(Attachment(text(), text()) for _ in range(chance.randint(0, 2)))
        facts = {"seed": chance.randint(0, 9), "note": text()} if replies and chance.random() < 0.5 else None
        return Turn(f"{text()}?", attachments, replies, facts)

    turns = tuple(turn() for _ in range(chance.randint(1, 5)))
    system, summary = (chance.choice([None, f"{text()}."]) for _ in range(2))
    return Dialogue(system, turns, chance.randint(0, len(turns)), summary)


@pytest.mark.parametrize("seed", range(200))
def test_an_export_as_json_comes_back_as_it_was(seed: int) -> None:
    dialogue = any_dialogue(random.Random(seed))
    data = {"name": "n", "model": "phi-4-mini", "messages": messages_data(dialogue)}
    for content in (json.dumps(data), json_text(data)):
        found = read_conversation(content.encode(), "x.json")
        assert (found.dialogue, found.name, found.model) == (dialogue, "n", "phi-4-mini")


@pytest.mark.parametrize("seed", range(100))
def test_openai_messages_are_what_the_model_read(seed: int) -> None:
    dialogue = any_dialogue(random.Random(seed))
    sent = openai_data(dialogue)
    found = read_conversation(json.dumps(sent).encode(), "x.json").dialogue
    assert [turn.text for turn in found.turns] == [turn.text for turn in dialogue.turns]
    assert [turn.replies for turn in found.turns] == [turn.replies for turn in dialogue.turns]
    assert found.system == dialogue.system
    assert {key for message in sent for key in message} <= {"role", "content", "tool_calls", "tool_call_id"}


def test_json_marks_what_is_left_out_and_its_summary() -> None:
    data = messages_data(replace(dialogue_of(3), left_out=2, summary="They said hello."))
    roles = [one["role"] for one in data]
    assert roles == ["system", *["user", "assistant"] * 2, "system", "user", "assistant"]
    assert data[5] == {"role": "system", "content": "They said hello.", "summary": True}
    assert [one["content"] for one in data if one.get("left_out")] == ["question 1", "question 2"]
    assert data[2]["facts"] == FACTS


def test_token_ids_stay_here() -> None:
    dialogue = Dialogue(turns=(Turn("a", (), (Message("assistant", "b", (), (1, 2)),)),))
    assert "1" not in json.dumps([messages_data(dialogue), openai_data(dialogue)])


def test_tool_calls_are_those_of_openai() -> None:
    calls = [ToolCall("add", {"a": 1}), ToolCall("add", {"a": 2})]
    dialogue = Dialogue(turns=(Turn("a", (), replies_with_tools(calls, ["1", "2"], "", "3")),))
    _, called, first, second, _ = openai_data(dialogue)
    assert called["tool_calls"][0] == {
        "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'},
    }  # fmt: skip
    assert (first["tool_call_id"], second["tool_call_id"]) == ("call_1", "call_2")


def test_markdown_has_all_of_it() -> None:
    attached = (Attachment("a ``` b.md", "code:\n````\nx\n````\n"), Attachment("", "piped"))
    calls = replies_with_tools([ToolCall("add", {"a": 1})], ["one"], "Let me see.", "It is one.")
    first = Turn("What is it?", attached, calls, FACTS)
    second = Turn("Write it.", (), (Message("assistant", "```py\nprint(1)"),))
    dialogue = Dialogue("Be brief.", (first, second, Turn("and?")), 1, "One was asked for.")
    text = markdown_text("n", "phi-4-mini", dialogue)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# n", "## System message", "## 1. Question (no longer sent to the model)", "## 1. Answer",
        "## 1. Tool result", "## 1. Answer", "## Summary of turn 1", "## 2. Question", "## 2. Answer",
        "## 3. Question",
    ]  # fmt: skip
    assert "Attached: a ``` b.md (18 B)\n\n`````\ncode:\n````\nx\n````\n`````\n" in text
    assert "Attached: piped text (5 B)\n\n```\npiped\n```\n" in text
    assert 'Tool call: add\n\n```json\n{\n  "a": 1\n}\n```\n' in text
    assert "```py\nprint(1)\n```\n\n## 3" in text, "a code block that was cut off ends before the next heading"
    assert "*phi-4-mini:q4_k_m, xllamacpp 1, temperature 0.7, seed 42, 3 tokens*" in text


@pytest.mark.parametrize(
    "facts",
    [None, {}, {"settings": 3, "usage": [], "seed": "x", "model": None}, {"usage": {"completion_tokens": "9"}}],
)
def test_facts_that_say_nothing(facts: dict[str, Any] | None) -> None:
    assert made_by(Turn("a", (), (Message("assistant", "b"),), facts)) == ""


def test_adapters_stand_behind_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    remember(RegisteredAdapter("style", tmp_path / "s.gguf", "x", None, None, 1, 1))
    rows = [{"path": str(tmp_path / "s.gguf"), "scale": 0.5}, {"path": "/b.gguf", "scale": 1.0}]
    facts = {"model": "phi-4-mini", "build": "xllamacpp 1", "settings": {"adapters": rows}}
    answered = Turn("a", (), (Message("assistant", "b"),), facts)
    assert made_by(answered) == "phi-4-mini, adapters style:0.5 and /b.gguf, xllamacpp 1"
    facts["settings"] = {"adapters": rows[:1]}
    assert made_by(answered) == "phi-4-mini, adapter style:0.5, xllamacpp 1"
