"""Answers that are begun and continued, and texts without a conversation."""

from __future__ import annotations

import pytest

from phicli.answering.pool import whole
from phicli.answering.types import Answer, Ending
from phicli.chat_format import format_by_name
from phicli.chat_format.continuation import Continuation
from phicli.chat_format.file_template import FileTemplate
from phicli.chat_format.types import Message, PromptFormat, Segment, Special, Template, Text, ToolCall
from phicli.engine.constraint import Constraint
from phicli.engine.types import Sampling
from phicli.errors import UsageError
from phicli.structured.grammars import choice_form
from tests.fakes.scripted_model import Lab

ASKED = Message("user", "Capital of France?")


def spelled(segments: tuple[Segment, ...]) -> str:
    return "".join(one.literal if isinstance(one, Special) else one.text for one in segments)


def continued(format_for: PromptFormat, begun: str, answer: str, ending: Ending | None = None) -> tuple[Answer, str]:
    """The answer that continues ``begun``, and the prompt that the engine got."""
    lab = Lab(lambda _: f"{answer}<|end|>", format_for=lambda _: format_for)
    made = whole(lab.model.answer((ASKED, Message("assistant", begun)), sampling=Sampling(), ending=ending or Ending()))
    return made, lab.engines[0].prompts[-1]


@pytest.mark.parametrize("name", ["phi-3", "phi-3-folded", "phi-4-mini", "completion", "completion-qa", "plain"])
def test_the_prompt_ends_with_the_text_as_the_history_has_it(name: str) -> None:
    prompt_format = format_by_name(name)
    answer, prompt = continued(prompt_format, "It is", " Paris.")
    assert answer.text == " Paris."
    history = spelled(prompt_format.render((ASKED, Message("assistant", "It is"), Message("user", "x"))))
    beginning = history[: history.index("It is") + len("It is")]
    assert prompt.replace("\n", "") == beginning.replace("\n", "").replace("<|assistant|>\n", "<|assistant|>")


def test_the_tokens_of_the_answer_are_those_of_the_continuation_alone() -> None:
    answer, prompt = continued(format_by_name("phi-4-mini"), "It is", " Paris.")
    assert prompt == "<|user|>Capital of France?<|end|><|assistant|>It is"
    assert answer.usage.completion_tokens == len(" Paris.")
    assert answer.usage.prompt_tokens == 3 + len("Capital of France?It is")
    assert answer.token_ids == tuple(map(ord, " Paris."))


def test_text_that_is_begun_is_only_text() -> None:
    _, prompt = continued(format_by_name("phi-4-mini"), "a<|end|><|system|>b", "c")
    lab = Lab(lambda _: "x<|end|>")
    begun = (ASKED, Message("assistant", "a<|end|><|system|>b"))
    exact = lab.model.prompt(begun)
    assert sum(part.special for part in exact.parts) == 3
    assert prompt.endswith("<|assistant|>a<|end|><|system|>b")


def test_a_model_that_always_reasons_goes_on_with_its_answer() -> None:
    always = format_by_name("phi-4-mini", reasoning=True, always_reasons=True)
    for ending in (Ending(), Ending(think_tokens=0), Ending(think_tokens=9)):
        answer, prompt = continued(always, "It is", " Paris.", ending)
        assert (answer.text, answer.reasoning, answer.finish_reason) == (" Paris.", "", "stop")
        assert prompt.endswith("<|assistant|>It is")


def test_a_template_that_opens_reasoning_has_it_closed_first() -> None:
    template = FileTemplate(
        lambda messages: "".join(f"<{one['role']}>{one['content']}" for one in messages) + "<assistant><think>\n"
    )
    answer, prompt = continued(template, "It is", " Paris.")
    assert prompt.endswith("<assistant><think>\n\n</think>\n\nIt is")
    assert (answer.text, answer.reasoning) == (" Paris.", "")


def test_reasoning_cannot_be_begun() -> None:
    reasons = format_by_name("phi-4-mini", reasoning=True)
    with pytest.raises(UsageError, match="begins with <think>"):
        continued(reasons, "<think>Hm", "x")
    answer, _ = continued(format_by_name("phi-4-mini"), "<think>Hm", "x")
    assert answer.text == "x"


def test_a_constraint_holds_the_continuation_from_its_first_token() -> None:
    reasons = format_by_name("phi-4-mini", reasoning=True)
    lab = Lab(lambda _: "Paris<|end|>", format_for=lambda _: reasons)
    constraint = choice_form("Paris,Rome").constraints(None)[0]
    assert isinstance(constraint, Constraint)
    messages = (ASKED, Message("assistant", "It is "))
    answer = whole(lab.model.answer(messages, sampling=Sampling(constraint=constraint)))
    assert answer.text == "Paris"
    assert [one.constraint for one in lab.engines[0].samplings] == [constraint]


def test_an_answer_with_calls_is_not_continued() -> None:
    lab = Lab(lambda _: "x<|end|>")
    whole(lab.model.answer((ASKED, Message("assistant", "", (ToolCall("f", {}),))), sampling=Sampling()))
    assert lab.engines[0].prompts[0].endswith("<|/tool_call|><|end|><|assistant|>")


def test_a_text_is_continued_without_a_format() -> None:
    lab = Lab(lambda _: " a time, <|tool_call|><think>x</think><|end|>there", reasoning=True)
    answer = whole(lab.model.continue_text("Once <|end|> upon", sampling=Sampling()))
    assert lab.engines[0].prompts == ["Once <|end|> upon"]
    assert answer.usage.prompt_tokens == len("Once <|end|> upon")
    assert (answer.text, answer.reasoning) == (" a time, <think>x</think>", "")


def test_segments_of_a_continuation() -> None:
    inner = format_by_name("phi-4")
    text = Continuation(inner)
    assert text.render((Message("user", "a"),)) == (Text("a"),)
    assert text.stop_tokens == inner.stop_tokens
    assert (text.stop_strings, text.visible_tokens, text.before_answer) == ((), (), "")
    assert not isinstance(text.render((Message("user", "a"),))[0], Template)
