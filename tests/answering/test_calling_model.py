"""Answers that may call tools: what is shown and when, and what becomes of wrong calls."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.answering.calling import required_constraint
from phicli.answering.calling_model import CallingModel, ToldModel
from phicli.answering.types import Answer, Notice
from phicli.chat_format.types import Message, Piece, ToolCall
from phicli.engine.types import Sampling
from phicli.errors import CheckFailedError
from phicli.tools.types import Tool
from tests.fakes.scripted_engine import special_tokens
from tests.fakes.scripted_model import Lab

F = Tool("f", "", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
DECLARED = '[{"name": "f"}]'
RIGHT = '<|tool_call|>[{"name": "f", "arguments": {"n": 1}}]<|/tool_call|>'
TWO = '<|tool_call|>[{"name": "f", "arguments": {"n": 1}}, {"name": "f", "arguments": {"n": 2}}]<|/tool_call|>'
WRONG = '<|tool_call|>[{"name": "f", "arguments": {"n": "x"}}]<|/tool_call|>'
BROKEN = "<|tool_call|>[{oops}]<|/tool_call|>"
ASKED = (Message("user", "go"),)


class Calls:
    """The events of an answer of a model that gives these answers in turn."""

    def __init__(
        self, *answers: str, required: bool = False, several: bool = True, messages: tuple[Message, ...] = ASKED,
        max_tokens: int | None = None, reasoning: bool = False,
    ) -> None:  # fmt: skip
        left = iter(answers)
        self.lab = Lab(lambda _: f"{next(left)}<|end|>", reasoning=reasoning)
        constraint = required_constraint([F], special_tokens(), several=several, max_tokens=None)
        model = CallingModel(self.lab.model, (F,), DECLARED, several, constraint if required else None)
        self.events: list[Any] = list(model.answer(messages, sampling=Sampling(max_tokens=max_tokens)))
        self.answer: Answer = self.events[-1]
        assert isinstance(self.answer, Answer)

    @property
    def shown(self) -> str:
        return "".join(one.text for one in self.events if isinstance(one, Piece) and one.kind == "text")

    @property
    def prompts(self) -> list[str]:
        return self.lab.engines[0].prompts


def test_a_right_call_is_given_at_once() -> None:
    made = Calls(RIGHT)
    assert made.answer.tool_calls == (ToolCall("f", {"n": 1}),)
    assert (made.answer.finish_reason, made.shown, made.answer.attempts) == ("tool_calls", "", 1)
    assert len(made.prompts) == 1


def test_text_is_shown_as_it_comes() -> None:
    made = Calls("No call here.")
    assert [one.text for one in made.events if isinstance(one, Piece)] == list("No call here.")
    assert made.answer.text == "No call here."


def test_a_wrong_call_is_fed_back_and_the_second_answer_counts() -> None:
    made = Calls(WRONG, RIGHT)
    assert made.answer.tool_calls == (ToolCall("f", {"n": 1}),)
    assert made.answer.attempts == 2
    assert made.answer.usage.completion_tokens > len("f1") * 2
    error = """<|tool_response|>{"error": "f: arguments.n: 'x' is not of type 'integer'"}<|end|>"""
    assert made.prompts[1] == f"{made.prompts[0]}{WRONG}<|end|>{error}<|assistant|>"
    assert sum(isinstance(event, Notice) for event in made.events) == 1


def test_a_measurement_takes_a_wrong_call_as_it_is() -> None:
    lab = Lab(lambda _: f"{WRONG}<|end|>")
    *_, answer = ToldModel(lab.model, DECLARED).answer(ASKED, sampling=Sampling())
    assert isinstance(answer, Answer)
    assert answer.tool_calls == (ToolCall("f", {"n": "x"}),)
    assert [DECLARED in prompt for prompt in lab.engines[0].prompts] == [True]


def test_text_in_front_of_a_wrong_call_stays() -> None:
    made = Calls(f"Let me see. {WRONG}", f"Again. {RIGHT}")
    assert made.shown == made.answer.text == "Let me see. Again. "
    assert made.answer.tool_calls == (ToolCall("f", {"n": 1}),)


def test_a_call_that_cannot_be_read_is_never_shown() -> None:
    made = Calls(f"Well: {BROKEN}", "Done.")
    assert made.shown == made.answer.text == "Well: Done."


def test_calls_that_are_wrong_twice_are_given_as_they_are() -> None:
    made = Calls(WRONG, WRONG, RIGHT)
    assert made.answer.tool_calls == (ToolCall("f", {"n": "x"}),)
    assert len(made.prompts) == 2


def test_a_call_that_cannot_be_read_twice_is_an_error() -> None:
    with pytest.raises(CheckFailedError, match="wrong tool call again: a call cannot be read"):
        Calls(BROKEN, BROKEN)


def test_text_about_the_marker_is_shown() -> None:
    text = "Write `<|tool_call|>` in front."
    made = Calls(text)
    assert made.shown == made.answer.text


def test_one_call_where_no_more_are_wanted() -> None:
    made = Calls(TWO, several=False)
    assert made.answer.tool_calls == (ToolCall("f", {"n": 1}),)
    assert len(Calls(TWO).answer.tool_calls) == 2


def test_a_required_call_that_does_not_come_is_asked_for_again() -> None:
    made = Calls("Hello!", RIGHT, required=True)
    assert (made.shown, made.answer.text, len(made.answer.tool_calls)) == ("", "", 1)
    with pytest.raises(CheckFailedError, match="no tool was called"):
        Calls("Hello!", "Hello!", required=True)


def test_a_required_answer_is_held_to_calls() -> None:
    made = Calls(RIGHT, required=True)
    (sampling,) = made.lab.engines[0].samplings[-1:]
    assert sampling.constraint is not None
    assert sampling.constraint.language == "lark"


@pytest.mark.parametrize("required", [False, True])
def test_a_call_that_the_limit_cuts_off_is_left_out(required: bool) -> None:
    made = Calls(f"{'' if required else 'So: '}{RIGHT}", required=required, max_tokens=20)
    assert made.answer.finish_reason == "length"
    assert made.shown == made.answer.text == ("" if required else "So: ")
    assert made.answer.tool_calls == ()


def test_an_answer_that_is_begun_may_call() -> None:
    made = Calls(WRONG, RIGHT, messages=(*ASKED, Message("assistant", "I call: ")))
    assert made.prompts[0].endswith("<|assistant|>I call: ")
    assert f"<|assistant|>I call: {WRONG}<|end|><|tool_response|>" in made.prompts[1]


def test_reasoning_of_both_attempts_is_there() -> None:
    made = Calls(f"<think>one</think>{WRONG}", f"<think>two</think>{RIGHT}", reasoning=True)
    assert made.answer.reasoning == "onetwo"
    assert made.answer.reasoning_tokens == 6


@pytest.mark.parametrize("answers", [("Some text",), (WRONG, "Some text")], ids=["first", "second"])
def test_closing_stops_the_engine_in_either_attempt(answers: tuple[str, ...]) -> None:
    left = iter(answers)
    lab = Lab(lambda _: f"{next(left)}<|end|>")
    stream = CallingModel(lab.model, (F,), DECLARED).answer(ASKED, sampling=Sampling())
    for event in stream:
        if isinstance(event, Piece):
            break
    stream.close()
    assert list(stream) == []
    assert lab.engines[0].stopped_early == 1
    assert stream.so_far().text == "S"
