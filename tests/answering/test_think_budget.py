"""Reasoning that is ended after a number of tokens: what the engine gets then, and what the answer is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.answering.types import Answer, Ending, Notice, Reasoned
from phicli.chat_format import format_by_name
from phicli.chat_format.file_template import FileTemplate
from phicli.chat_format.types import Piece, PromptFormat
from tests.answering.test_ending import HidesIds
from tests.fakes.scripted_engine import Script, ScriptedEngine
from tests.fakes.scripted_model import Lab

REASONS: PromptFormat = format_by_name("phi-4-mini", reasoning=True, always_reasons=True)
MAY_REASON: PromptFormat = format_by_name("phi-4-mini", reasoning=True)


def thinks(thought: str, answer: str = "It is 4.", opening: str = "<think>", closing: str = "</think>") -> Script:
    """A model that reasons, and gives its answer behind the end of its reasoning, whoever ended it."""

    def script(prompt: str) -> str:
        said = prompt.rsplit("<|assistant|>", 1)[1]
        whole = f"{opening}{thought}{closing}{answer}<|end|>"
        if whole.startswith(said):
            return whole[len(said) :]
        behind = said.partition("</think>")[2].lstrip()
        assert answer.startswith(behind), said
        return answer[len(behind) :] + "<|end|>"

    return script


def lab(script: Script, budget: int | None, *, format_for: PromptFormat = REASONS, **more: Any) -> Lab:
    ending = more.pop("ending", Ending(think_tokens=budget))
    return Lab(script, format_for=lambda _: format_for, ending=ending, **more)


def notices(events: list[object]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_reasoning_is_ended_after_so_many_tokens_and_the_answer_follows() -> None:
    one = lab(thinks("Let me see. Two and two"), 10)
    answer, events = one.ask("2+2?")
    assert (answer.reasoning, answer.text, answer.finish_reason) == ("Let me see", "It is 4.", "stop")
    assert answer.reasoning_tokens == 10
    assert answer.usage.completion_tokens == len("<think>Let me seeIt is 4.")
    assert notices(events) == ["reasoning was ended after 10 tokens (--think-budget)"]
    assert not answer.only_reasoning


def test_what_was_generated_is_not_evaluated_again() -> None:
    one = lab(thinks("Let me see. Two and two"), 10)
    one.ask("2+2?")
    first, second = one.engines[0].prompts
    assert second == f"{first}<think>Let me see</think>"
    assert one.engines[0].stopped_early == 0


def test_a_model_that_writes_line_breaks_around_its_tags_gets_them() -> None:
    one = lab(thinks("\nLet me see. Two and two", opening="<think>", closing="\n</think>\n\n"), 11)
    answer, _ = one.ask("2+2?")
    assert one.engines[0].prompts[1].endswith("<think>\nLet me see\n</think>\n\n")
    assert (answer.reasoning, answer.text) == ("Let me see", "It is 4.")
    at_a_line = lab(thinks("\nSee:\nTwo and two", closing="\n</think>\n\n"), 6)
    at_a_line.ask("2+2?")
    assert at_a_line.engines[0].prompts[1].endswith("<think>\nSee:\n</think>\n\n")


def test_reasoning_that_ends_within_its_budget_is_left_alone() -> None:
    for budget in (6, 7, 1000, None):
        answer, events = lab(thinks("Hmm. 4"), budget).ask("2+2?")
        assert (answer.reasoning, answer.text, answer.reasoning_tokens) == ("Hmm. 4", "It is 4.", 6)
        assert notices(events) == ([] if budget != 6 else notices(events))
        assert answer.usage.completion_tokens >= len("<think>Hmm. 4It is 4.")


def test_the_tokens_of_reasoning_are_told_before_the_answer_begins() -> None:
    _, events = lab(thinks("Hmm. 4"), None).ask("2+2?")
    assert [event.tokens for event in events if isinstance(event, Reasoned)][-1] == 6
    shown = [event for event in events if isinstance(event, Piece | Reasoned)]
    kinds = [event.kind if isinstance(event, Piece) else "count" for event in shown]
    assert kinds.index("text") > max(at for at, kind in enumerate(kinds) if kind == "count")


def test_an_answer_without_reasoning_is_not_touched() -> None:
    for chosen in (REASONS, MAY_REASON, format_by_name("phi-4-mini")):
        one = lab(lambda _: "It is four, said the answer.<|end|>", 3, format_for=chosen)
        answer, events = one.ask("2+2?")
        assert (answer.text, answer.reasoning, answer.reasoning_tokens) == ("It is four, said the answer.", "", 0)
        assert (len(one.engines[0].prompts), notices(events)) == (1, [])


def test_what_may_be_the_answer_is_not_ended() -> None:
    """Behind a tag that may have ended the reasoning, and without any tag before the end."""
    doubtful = "<think>I close with </think> and so it is four, or is it five?</think>It is 4.<|end|>"
    one = lab(lambda _: doubtful, 40)
    answer, _ = one.ask("2+2?")
    assert (answer.text, len(one.engines[0].prompts)) == ("It is 4.", 1)
    assert answer.reasoning_tokens == len("I close with </think> and so it is four, or is it five?")
    late = lab(lambda _: "So it is four, I see.</think>It is 4.<|end|>", 5)
    assert (late.ask("2+2?")[0].text, len(late.engines[0].prompts)) == ("It is 4.", 1)


def test_a_budget_of_zero_asks_a_model_that_always_reasons_at_once() -> None:
    one = lab(thinks("never"), 0)
    answer, events = one.ask("2+2?")
    assert one.engines[0].prompts[0].endswith("<|assistant|><think>\n\n</think>\n\n")
    assert (answer.text, answer.reasoning, answer.reasoning_tokens) == ("It is 4.", "", 0)
    assert answer.token_ids is not None
    assert answer.usage.completion_tokens == len("It is 4.")
    assert answer.used_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert notices(events) == []


def test_a_budget_of_zero_waits_for_reasoning_where_a_model_may_answer() -> None:
    one = lab(thinks("Let me see"), 0, format_for=MAY_REASON)
    answer, events = one.ask("2+2?")
    assert one.engines[0].prompts[1].endswith("<|assistant|><think></think>")
    assert (answer.text, answer.reasoning, answer.reasoning_tokens, notices(events)) == ("It is 4.", "", 0, [])
    plain = lab(lambda _: "Four.<|end|>", 0, format_for=MAY_REASON)
    assert plain.ask("2+2?")[0].text == "Four."


def test_a_budget_of_zero_keeps_text_in_front_of_the_reasoning() -> None:
    def script(prompt: str) -> str:
        return "It is 4.<|end|>" if "</think>" in prompt else "Well. <think>hm</think>It is 4.<|end|>"

    one = lab(script, 0, format_for=MAY_REASON)
    answer, _ = one.ask("2+2?")
    assert one.engines[0].prompts[1].endswith("<|assistant|>Well. <think>h</think>")
    assert (answer.text, answer.reasoning) == ("Well. It is 4.", "")


def opened(said: str) -> Script:
    return lambda prompt: (
        said[len(prompt.rsplit("<think>\n", 1)[1]) :] if "</think>" not in prompt else "It is 4.<|end|>"
    )


class Opens(ScriptedEngine):
    """A file whose template opens the reasoning."""

    def render_template(self, *arguments: Any, **more: Any) -> str:
        return super().render_template(*arguments, **more) + "<think>\n"


@pytest.mark.parametrize(("budget", "reasoning"), [(0, ""), (5, "Let m")])
def test_a_prompt_that_opens_the_reasoning(budget: int, reasoning: str) -> None:
    script = opened("Let me see. 2 and 2")
    one = Lab(
        script, ending=Ending(think_tokens=budget), make=lambda size: Opens(script, context_tokens=size, template=True),
        format_for=lambda engine: FileTemplate(engine.render_template),
    )  # fmt: skip
    answer, _ = one.ask("2+2?")
    assert (answer.reasoning, answer.text, answer.reasoning_tokens) == (reasoning, "It is 4.", budget)
    assert one.engines[0].prompts[-1].endswith(f"<think>\n{reasoning}\n</think>\n\n")


@pytest.mark.parametrize("first", range(40, 75))
def test_the_context_may_end_anywhere(first: int) -> None:
    one = lab(thinks("Let me see. Two and two"), 12, first=first, limit=4096)
    answer, _ = one.ask("2+2?")
    assert (answer.reasoning, answer.text, answer.finish_reason) == ("Let me see. ", "It is 4.", "stop")
    assert answer.usage.completion_tokens == len("<think>Let me see. It is 4.")


@pytest.mark.parametrize("limit", range(43, 62))
def test_at_the_end_of_the_largest_context_the_reason_is_the_length(limit: int) -> None:
    one = lab(thinks("Let me see. Two and two"), 10, first=limit, limit=limit)
    answer, _ = one.ask("2+2?")
    assert answer.finish_reason == ("stop" if answer.text == "It is 4." else "length")
    assert "It is 4.".startswith(answer.text)
    assert answer.used_tokens <= limit


def test_the_limit_of_tokens_counts_all_of_them() -> None:
    for most, text, reason in ((17, "", "length"), (20, "It ", "length"), (26, "It is 4.", "stop")):
        answer, events = lab(thinks("Let me see. Two and two"), 10, max_tokens=most).ask("2+2?")
        assert (answer.text, answer.finish_reason) == (text, reason)
        assert answer.usage.completion_tokens == len(f"<think>Let me see{text}")
        assert len(notices(events)) == bool(text)


def test_stop_texts_and_the_brake_are_as_without_a_budget() -> None:
    ending = Ending(("is",), brake=True, think_tokens=10)
    answer, _ = lab(thinks("This is is is is"), None, ending=ending).ask("2+2?")
    assert (answer.reasoning, answer.text, answer.stopped_by) == ("This is is", "It ", "is")
    endless = Ending(brake=True, think_tokens=100)
    answer, _ = lab(thinks("wait, " * 200, "no, " * 300), None, ending=endless).ask("2+2?")
    assert (answer.reasoning_tokens, answer.stopped_by) == (100, "repetition")
    assert answer.text.startswith("no, no, ")


def test_a_model_that_begins_to_reason_again_is_asked_a_few_times() -> None:
    one = lab(lambda prompt: "<think>Hmm, hmm, hmm, hmm", 5)
    answer, events = one.ask("2+2?")
    assert (answer.text, answer.finish_reason, answer.only_reasoning) == ("", "length", True)
    assert len(one.engines[0].prompts) == 4
    assert len(notices(events)) == 1


@pytest.mark.parametrize("first", [*range(40, 60), 4096])
def test_reasoning_whose_ids_are_unknown_is_tokenized_again(first: int) -> None:
    script = thinks("Lét mé séé. Two and two")
    one = lab(script, 10, first=first, limit=4096, make=lambda size: HidesIds(script, context_tokens=size))
    answer, _ = one.ask("2+2?")
    assert (answer.reasoning, answer.text, answer.reasoning_tokens) == ("Lét mé séé", "It is 4.", 10)
    assert one.engines[-1].prompts[-1].partition("</think>")[0].endswith("<|assistant|><think>Lét mé séé")


def test_an_interruption_keeps_the_reasoning_that_came() -> None:
    one = lab(thinks("Let me see. Two and two"), 10)
    asking = one.session.ask("2+2?")
    for event in asking:
        if isinstance(event, Notice):
            break
    asking.close()
    assert (asking.so_far().finish_reason, asking.so_far().reasoning) == ("interrupted", "Let me see")
    assert asking.so_far().reasoning_tokens == 10


THOUGHTS = st.text(alphabet="ab .,\n`*</>thinké漢", max_size=60).filter(lambda thought: "</think>" not in thought)


@given(thought=THOUGHTS, budget=st.integers(0, 30), first=st.integers(45, 120))
def test_the_answer_never_holds_a_tag(thought: str, budget: int, first: int) -> None:
    """Whatever is cut, a tag that is cut in its middle too."""
    one = lab(lambda prompt: after(prompt, thought), budget, first=first, format_for=MAY_REASON)
    answer, _ = one.ask("?")
    assert answer.text == "It is 4."
    assert isinstance(answer, Answer)
    assert answer.reasoning_tokens <= budget + len("</think")  # what may be the beginning of the tag is waited for


def after(prompt: str, thought: str) -> str:
    said = prompt.rsplit("<|assistant|>", 1)[1]
    begun = f"<think>{thought} so it goes on and on and on and on"
    if begun.startswith(said):
        return begun[len(said) :] + "\n</think>\nIt is 4.<|end|>"
    for whole in (f"{begun}\n</think>\nIt is 4.",):
        if whole.startswith(said):
            return whole[len(said) :] + "<|end|>"
    behind = said.rpartition("</think>")[2].lstrip()
    return "It is 4."[len(behind) :] + "<|end|>"
