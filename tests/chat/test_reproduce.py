"""The command that makes an answer again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.reproduce import ENGINE_FIELDS, Reproduction, reproduction
from phicli.chat_format.types import Message
from phicli.commands.engine_options import ENGINE_OPTIONS
from phicli.errors import NotFoundError, UsageError
from tests.support.sessions import FACTS, dialogue_of

ANSWER = (Message("assistant", "b"),)


def again(dialogue: Dialogue, number: int, build: str = "xllamacpp 1") -> Reproduction:
    return reproduction("my talk", "phi-4", dialogue, number, lambda _: build)


def of(turn: Turn) -> Reproduction:
    return again(Dialogue(turns=(turn,)), 1)


def with_facts(**changed: Any) -> Reproduction:
    return of(Turn("hi", (), ANSWER, {**FACTS, **changed}))


def test_the_command() -> None:
    found = again(dialogue_of(3), 2)
    assert found.command == (
        "phi chat phi-4-mini:q4_k_m --session 'my talk' --before 2 --no-save --temperature 0.7 --top-p 0.95 --top-k 40 "
        "--min-p 0.05 --seed 42 --stop END --threads 2 --kv-type f16 --repack on --no-stdin 'question 2'"
    )
    assert found.notes == ()


def test_the_settings_are_the_options_of_chat() -> None:
    assert set(ENGINE_FIELDS) == {row.field for row in ENGINE_OPTIONS if "chat" in row.commands}


@pytest.mark.parametrize("question", ['it\'s\n"two" lines; $HOME `x`', "-n is what?", "привет"])
def test_any_question_survives_the_shell(question: str) -> None:
    words = shlex.split(of(Turn(question, (), ANSWER, FACTS)).command)
    assert words[-1] == question
    assert (words[-2] == "--") == question.startswith("-")


@pytest.mark.parametrize(
    "turn",
    [
        Turn("x" * 501, (), ANSWER, FACTS),
        Turn("-", (), ANSWER, FACTS),
        Turn("a\0b", (), ANSWER, FACTS),
        Turn("a\tb\x1b[1m", (), ANSWER, FACTS),
        Turn("", (Attachment("", "piped"),), ANSWER, FACTS),
        Turn("what?", (Attachment("a.txt", "text"),), ANSWER, FACTS),
    ],
    ids=["long", "dash", "nul", "control", "piped", "attached"],
)
def test_what_is_no_short_line_comes_through_a_pipe(turn: Turn) -> None:
    found = of(turn)
    assert found.command.startswith("phi sessions show 'my talk' --prompt 1 | phi chat ")
    assert "--no-stdin" not in found.chat
    assert not {"x" * 501, "-", "what?"}.intersection(found.chat)
    assert [note for note in found.notes if "come from the session" in note] == [
        f"the attachments come from the session, as they were when they were sent: {label}"
        for label in {"piped": ["piped text (5 B)"], "text": ["a.txt (4 B)"]}.get(
            turn.attachments[0].text if turn.attachments else "", []
        )
    ]


@pytest.mark.parametrize(
    ("facts", "option"),
    [
        ({"seed": 7}, "--seed 7"),
        ({"finish_reason": "length"}, "--context 4096"),
        ({"engine": "llama-server"}, "--engine llama-server"),
        ({"settings": {"gpu_layers": 3}}, "--gpu-layers 3"),
        ({"sampling": {"max_tokens": 5}}, "--max-tokens 5"),
        ({"settings": {"stop": ["--x"]}}, "--stop=--x"),
        ({"tools": {"files": ["a b.json", "-c.py"]}}, "'--tools=a b.json' --tools=-c.py"),
        ({"tools": {"files": ["a"], "choice": "required", "force": True}}, "--tool-choice=required --force-tools"),
    ],
    ids=str,
)
def test_options_by_the_facts(facts: dict[str, Any], option: str) -> None:
    assert option in with_facts(**facts).command
    assert option not in with_facts().command


def test_facts_of_a_foreign_file_are_no_options() -> None:
    found = with_facts(
        model=3,
        seed="--help",
        sampling={"temperature": "--x"},
        settings={"threads": "; rm", "stop": "x"},
        engine="x y",
        tools={"files": "x", "choice": 3, "force": 1},
    )
    assert found.command == "phi chat phi-4 --session 'my talk' --before 1 --no-save --no-stdin hi"


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        ({"build": "xllamacpp 1 (zen4 kernels)"}, "made with xllamacpp 1 (zen4 kernels), but the engine is now"),
        ({"build": None}, "the build of the engine was not recorded"),
        ({"engine": "gone"}, "the engine gone, which this version of phi does not have"),
        ({"finish_reason": "interrupted"}, "answer 1 was interrupted"),
        ({"finish_reason": "tool_calls"}, "declare them with --tools"),
        ({"settings": {"batch_tokens": 512}}, "batch size 512, for which phi chat has no option"),
    ],
    ids=str,
)
def test_what_can_make_a_difference_is_said(facts: dict[str, Any], note: str) -> None:
    (said,) = with_facts(**facts).notes
    assert note in said


def test_calls_of_tools_that_are_known_make_no_difference() -> None:
    assert with_facts(finish_reason="tool_calls", tools={"files": ["a"], "choice": "auto", "force": False}).notes == ()


def test_an_engine_that_is_not_there_is_said() -> None:
    def missing(name: str) -> str:
        raise NotFoundError(f"{name} not found on PATH")

    found = reproduction("n", "m", dialogue_of(1), 1, missing)
    assert found.notes == (
        "the answer was made with xllamacpp 1, which cannot be used now: xllamacpp not found on PATH",
    )


def test_turns_that_are_left_out_by_now_are_said() -> None:
    dialogue = replace(dialogue_of(3), left_out=2)
    assert "turns 1 to 2 are no longer sent" in again(dialogue, 3).notes[0]
    assert "turn 1 is no longer sent" in again(replace(dialogue, left_out=1), 3).notes[0]
    assert again(dialogue, 2).notes == (), "before question 2 no turn was left out, and none is now"
    assert again(dialogue, 1).notes == ()


@pytest.mark.parametrize(
    ("turn", "number", "says"),
    [
        (Turn("a", (), ANSWER, FACTS), 2, "turn 2 was asked for, but the session my talk has 1"),
        (Turn("a", (), ANSWER, FACTS), 0, "turn 0 was asked for"),
        (Turn("a"), 1, "question 1 of my talk has no answer"),
        (Turn("a", (), ANSWER), 1, "does not record how answer 1 was made"),
    ],
)
def test_what_cannot_be_made_again(turn: Turn, number: int, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        again(Dialogue(turns=(turn,)), number)
    assert "phi sessions show 'my talk'" in refused.value.hint
