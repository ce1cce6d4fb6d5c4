"""Since when an answer is held to a constraint: behind the reasoning, and from its beginning in a larger context."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.answering.holding import LOOK_TOKENS, MOST_TOKENS
from phicli.answering.types import NO_ENDING, Answer, Ending, Notice
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message, Piece
from phicli.engine.constraint import Constraint
from phicli.engine.types import Sampling
from tests.answering.test_think_budget import MAY_REASON, REASONS, thinks
from tests.fakes.scripted_engine import ScriptedEngine
from tests.fakes.scripted_model import Lab

CONSTRAINT = Constraint("gbnf", 'root ::= "yes"')
HELD = Sampling(constraint=CONSTRAINT)


def asked(one: Lab, sampling: Sampling = HELD, ending: Ending = NO_ENDING) -> tuple[Answer, list[Any], ScriptedEngine]:
    events = list(one.model.answer([Message("user", "2+2?")], sampling=sampling, ending=ending))
    assert isinstance(events[-1], Answer)
    return events[-1], events, one.engines[-1]


def held(engine: ScriptedEngine) -> list[bool]:
    return [sampling.constraint == CONSTRAINT for sampling in engine.samplings]


def test_a_model_that_does_not_reason_is_held_from_the_beginning() -> None:
    answer, _, engine = asked(Lab(lambda _: "yes<|end|>"))
    assert (answer.text, held(engine)) == ("yes", [True])
    assert engine.samplings[0].max_tokens == MOST_TOKENS
    assert (
        asked(Lab(lambda _: "yes<|end|>"), Sampling(constraint=CONSTRAINT, max_tokens=9000))[2].samplings[0].max_tokens
        == 9000
    )


@pytest.mark.parametrize(
    ("thought", "then"),
    [
        ("<think>Let me see.</think>", ""),
        ("<think>\nLet me see.\n</think>", "\n\n"),
        ("Let me see.</think>", ""),
        ("<think></think>", ""),
    ],
)
def test_a_model_that_reasons_does_so_first(thought: str, then: str) -> None:
    def script(prompt: str) -> str:
        return ("yes" if prompt.endswith(f"</think>{then}") else f"{thought}\n\nno") + "<|end|>"

    answer, _, engine = asked(Lab(script, format_for=lambda _: REASONS))
    assert (answer.reasoning.strip(), answer.text) == ("Let me see." if "Let" in thought else "", "yes")
    assert held(engine) == [False, True]
    assert engine.samplings[0].max_tokens is None
    first, second = engine.prompts
    assert second == f"{first}{thought}{then}"
    assert answer.usage.completion_tokens == len(f"{thought}yes")


def test_a_model_that_may_reason_is_looked_at_first() -> None:
    one = Lab(thinks("Hm. ", answer="yes"), format_for=lambda _: MAY_REASON)
    answer, _, engine = asked(one)
    assert (answer.reasoning, answer.text) == ("Hm. ", "yes")
    assert held(engine) == [False, False, True]
    assert engine.samplings[0].max_tokens == LOOK_TOKENS
    plain = Lab(lambda _: "yes<|end|>", format_for=lambda _: MAY_REASON)
    answer, _, engine = asked(plain)
    assert (answer.text, held(engine)) == ("yes", [False, True])
    assert engine.prompts[0] == engine.prompts[1]
    assert answer.usage.completion_tokens == 3


def test_a_model_that_ends_inside_its_reasoning_is_asked_for_the_answer() -> None:
    def script(prompt: str) -> str:
        return "yes<|end|>" if prompt.endswith("</think>") else "<think>I stop.<|end|>"

    answer, events, engine = asked(Lab(script, format_for=lambda _: REASONS))
    assert (answer.reasoning, answer.text, held(engine)) == ("I stop.", "yes", [False, True])
    assert not [event for event in events if isinstance(event, Notice)]


def test_reasoning_without_a_tag_that_opens_it_is_reasoning() -> None:
    def script(prompt: str) -> str:
        return "yes<|end|>" if prompt.endswith("</think>") else "Let me see.\n</think>no<|end|>"

    answer, _, engine = asked(Lab(script, format_for=lambda _: REASONS))
    assert (answer.reasoning.strip(), answer.text, held(engine)) == ("Let me see.", "yes", [False, True])


def test_a_tag_that_is_only_spoken_of_does_not_end_the_reasoning() -> None:
    one = Lab(thinks("I end with `</think>` then. ", answer="yes"), format_for=lambda _: REASONS)
    answer, _, engine = asked(one)
    assert (answer.reasoning, answer.text) == ("I end with `</think>` then. ", "yes")
    assert held(engine) == [False, True]


def test_a_budget_ends_the_reasoning_and_the_answer_is_held() -> None:
    one = Lab(thinks("Let me see. Two and two", answer="yes"), format_for=lambda _: REASONS)
    answer, events, engine = asked(one, ending=Ending(think_tokens=10))
    assert (answer.reasoning, answer.text, held(engine)) == ("Let me see", "yes", [False, True])
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "reasoning was ended after 10 tokens (--think-budget)"
    ]
    at_once = Lab(lambda _: "yes<|end|>", format_for=lambda _: REASONS)
    answer, _, engine = asked(at_once, ending=Ending(think_tokens=0))
    assert (answer.reasoning, answer.text, held(engine)) == ("", "yes", [True])


def test_reasoning_that_is_cut_off_leaves_no_answer() -> None:
    one = Lab(thinks("Let me see. Two and two", answer="yes"), format_for=lambda _: REASONS)
    answer, _, engine = asked(one, Sampling(constraint=CONSTRAINT, max_tokens=15))
    assert (answer.text, answer.finish_reason, answer.only_reasoning) == ("", "length", True)
    assert held(engine) == [False]


def test_text_that_is_held_is_not_looked_through_for_reasoning() -> None:
    text = '  {"tags":["<think>", "</think>"]} </think> <think> '
    one = Lab(lambda prompt: text + "<|end|>", format_for=lambda _: MAY_REASON)
    assert asked(one)[0].text == text


@pytest.mark.parametrize("reasons", [False, True])
def test_an_answer_that_outgrows_its_context_begins_again_in_a_larger_one(reasons: bool) -> None:
    text = "".join(f"[{number}]" for number in range(60))
    script = thinks("Hm.", answer=text) if reasons else lambda _: text + "<|end|>"
    prompt_format = REASONS if reasons else format_by_name("phi-4-mini")
    one = Lab(script, first=100, limit=4096, format_for=lambda _: prompt_format)
    answer, events, engine = asked(one)
    assert answer.text == text
    assert "".join(event.text for event in events if isinstance(event, Piece) and event.kind == "text") == text
    assert engine.samplings[-1].constraint == CONSTRAINT
    assert engine.prompts[-1].endswith("</think>" if reasons else "<|assistant|>")
    thought = len("<think>Hm.</think>") if reasons else 0
    assert answer.usage.completion_tokens == len(text) + thought
