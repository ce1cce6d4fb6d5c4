"""From a request to an answer: what the model is told, how it is sampled, and what is refused."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any, cast

import pytest

from phicli.answering.asked import Asked
from phicli.answering.formed import FormError
from phicli.answering.types import Answer, Notice
from phicli.catalog.load import catalog
from phicli.chat_format import format_by_name
from phicli.chat_format.file_template import FileTemplate
from phicli.chat_format.types import Message, Piece, ToolCall
from phicli.errors import ContextExceededError, TemplateError, UsageError
from phicli.server.errors import RequestError
from phicli.server.loading import Loaded
from phicli.server.making import answering
from phicli.structured.form import SchemaForm
from phicli.tools.types import Tool
from tests.fakes.scripted_loaded import ScriptedLoaded

HELLO = (Message("user", "Hello"),)
F = Tool("f", "", {"type": "object", "properties": {}})
CITY = SchemaForm({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CALL = '<|tool_call|>[{"name": "f", "arguments": {}}]<|/tool_call|><|end|>'


def ask(loaded: ScriptedLoaded, asked: Asked, index: int = 0) -> tuple[Answer, list[Any]]:
    events = list(answering(cast(Loaded, loaded), asked, index))
    assert isinstance(events[-1], Answer)
    return events[-1], events


def says(*texts: str, **more: Any) -> ScriptedLoaded:
    left = iter(texts)
    return ScriptedLoaded(lambda _: next(left), **more)


def test_each_answer_has_a_seed_of_its_own() -> None:
    loaded = says(*["Hi<|end|>"] * 6, slots=3)
    for index in range(3):
        ask(loaded, Asked("m", HELLO, sampling={"seed": 2**32 - 2}, answers=3), index)
    assert [one.seed for one in loaded.samplings] == [2**32 - 2, 0, 1]
    for index in range(3):
        ask(loaded, Asked("m", HELLO, answers=3), index)
    fresh = {one.seed for one in loaded.samplings[3:]}
    assert len(fresh) == 3
    assert 5 not in fresh  # that of the plan, which was drawn when the model was loaded


def test_sampling_is_that_of_the_model_with_what_was_asked_for() -> None:
    loaded = says("Hi<|end|>")
    ask(loaded, Asked("m", HELLO, sampling={"temperature": 0.5, "max_tokens": 9, "likeliest": 2}))
    (sampling,) = loaded.samplings
    assert (sampling.temperature, sampling.max_tokens, sampling.likeliest) == (0.5, 9, 2)
    assert sampling.top_k == loaded.plan.sampling.top_k


def test_more_answers_than_slots_are_refused() -> None:
    with pytest.raises(RequestError, match="n is 3, but m gives at most 2 answers") as caught:
        answering(cast(Loaded, says("x")), Asked("m", HELLO, answers=3))
    assert caught.value.param == "n"


def test_stop_texts_end_the_answer() -> None:
    answer, _ = ask(says("one two three<|end|>"), Asked("m", HELLO, stop=(" three",)))
    assert (answer.text, answer.finish_reason) == ("one two", "stop")


def test_a_text_is_continued() -> None:
    loaded = says(" a time<|end|>")
    answer, _ = ask(loaded, Asked("m", text="Once upon"))
    assert (loaded.prompts, answer.text) == (["Once upon"], " a time")


def test_tools_are_declared_in_the_model_s_own_shape() -> None:
    loaded = says("Hi<|end|>", "Hi<|end|>")
    city = Tool("f", "d", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    ask(loaded, Asked("m", HELLO, tools=(city,)))
    declared = '[{"name": "f", "description": "d", "parameters": {"city": {"type": "str"}}}]'
    assert loaded.prompts[0].startswith(f"<|system|><|tool|>{declared}<|/tool|><|end|><|user|>Hello")
    ask(loaded, Asked("m", HELLO, tools=(city,), tool_choice="none"))
    assert "<|tool|>" not in loaded.prompts[1]


def test_a_required_call_is_held_to_the_tools_that_may_be_called() -> None:
    loaded = says(CALL)
    other = Tool("g", "", {"type": "object", "properties": {}})
    required = Asked("m", HELLO, tools=(F, other), tool_choice="required", callable_tools=frozenset(["f"]))
    answer, _ = ask(loaded, required)
    assert answer.tool_calls == (ToolCall("f", {}),)
    constraint = loaded.samplings[-1].constraint
    assert constraint is not None
    assert '\\"f\\"' in constraint.text
    assert '\\"g\\"' not in constraint.text
    assert '"name": "g"' in loaded.prompts[0]


def test_a_tool_that_may_not_be_called_is_a_wrong_call() -> None:
    loaded = says(CALL.replace('"f"', '"g"'), CALL)
    other = Tool("g", "", {"type": "object", "properties": {}})
    answer, events = ask(loaded, Asked("m", HELLO, tools=(F, other), callable_tools=frozenset(["f"])))
    assert answer.tool_calls == (ToolCall("f", {}),)
    assert any(isinstance(event, Notice) for event in events)


def test_a_model_without_tool_training_refuses_tools() -> None:
    loaded = says("x", prompt_format=format_by_name("phi-3"))
    loaded.plan = replace(loaded.plan, format=replace(loaded.plan.format, name="phi-3"))
    with pytest.raises(RequestError, match="was not trained to call tools") as caught:
        answering(cast(Loaded, loaded), Asked("m", HELLO, tools=(F,)))
    assert caught.value.param == "tools"
    answering(cast(Loaded, loaded), Asked("m", HELLO, tools=(F,), tool_choice="none"))
    history = (*HELLO, Message("assistant", "", (ToolCall("f", {}),)), Message("tool", "x"))
    with pytest.raises(UsageError, match="does not support tools"):
        ask(loaded, Asked("m", history))


def test_a_form_is_checked_before_anything_is_sent() -> None:
    loaded = says('{"town": 1}<|end|>', '{"city": "Rome"}<|end|>')
    answer, events = ask(loaded, Asked("m", HELLO, form=CITY, answers=2))
    assert answer.text == '{"city": "Rome"}'
    assert [event.text for event in events if isinstance(event, Piece)] == ['{"city": "Rome"}']
    first, second = (one.seed for one in loaded.samplings)
    assert second == ((first or 0) + 2) % (2**32 - 1)  # the seed between belongs to the second answer


def test_an_answer_that_never_has_its_form_is_an_error() -> None:
    with pytest.raises(FormError):
        ask(says(*["{}<|end|>"] * 3), Asked("m", HELLO, form=CITY))


def test_a_form_that_the_limit_cuts_off_is_given_with_its_reason() -> None:
    answer, _ = ask(says('{"city": "Rome"}<|end|>'), Asked("m", HELLO, form=CITY, sampling={"max_tokens": 8}))
    assert (answer.text, answer.finish_reason, answer.parsed) == ('{"city":', "length", None)


@pytest.mark.parametrize("text", [CALL, '{"city": "Rome"}<|end|>'])
def test_a_form_and_tools_give_either(text: str) -> None:
    loaded = says(text)
    answer, events = ask(loaded, Asked("m", HELLO, form=CITY, tools=(F,)))
    shown = "".join(event.text for event in events if isinstance(event, Piece))
    assert shown == answer.text == ("" if text == CALL else '{"city": "Rome"}')
    assert answer.tool_calls == ((ToolCall("f", {}),) if text == CALL else ())
    constraint = loaded.samplings[0].constraint
    assert constraint is not None
    assert constraint.text.startswith("start: <[")
    assert "| json\njson: %json {" in constraint.text


def test_with_tools_a_form_is_checked_and_so_are_calls() -> None:
    loaded = says('{"town": 1}<|end|>', CALL.replace('"f"', '"g"'), '{"city": "Rome"}<|end|>')
    answer, _ = ask(loaded, Asked("m", HELLO, form=CITY, tools=(F,)))
    assert answer.text == '{"city": "Rome"}'
    assert "unknown tool" in loaded.prompts[2] or "there is no tool g" in loaded.prompts[2]


def test_a_required_call_needs_no_form() -> None:
    answer, _ = ask(says(CALL), Asked("m", HELLO, form=CITY, tools=(F,), tool_choice="required"))
    assert answer.tool_calls == (ToolCall("f", {}),)


def test_reasoning_can_be_left_out() -> None:
    always = format_by_name("phi-4-mini", reasoning=True, always_reasons=True)
    loaded = says("Paris<|end|>", prompt_format=always)
    answer, _ = ask(loaded, Asked("m", HELLO, think_tokens=0))
    assert answer.reasoning == ""
    assert "</think>" in loaded.prompts[0]


def test_a_reasoning_model_gets_its_own_system_message() -> None:
    variant = next(one for one in catalog().variants if one.id == "phi-4-mini-reasoning")
    assert variant.system_prompt is not None
    loaded = says(*["Hi<|end|>"] * 3)
    loaded.plan = replace(loaded.plan, model=replace(loaded.plan.model, variant=variant))
    ask(loaded, Asked("m", HELLO))
    assert loaded.prompts[-1].startswith(f"<|system|>{variant.system_prompt}<|end|><|user|>")
    ask(loaded, Asked("m", (Message("system", "Be brief."), *HELLO)))
    assert loaded.prompts[-1].startswith(f"<|system|>{variant.system_prompt} Be brief.<|end|><|user|>")
    ask(loaded, Asked("m", (Message("system", ""), *HELLO)))
    assert loaded.prompts[-1].startswith("<|user|>")


def test_messages_stay_in_their_order() -> None:
    loaded = says("Hi<|end|>")
    messages = (Message("user", "a"), Message("user", "b"), Message("system", "c"), Message("assistant", "d"), *HELLO)
    ask(loaded, Asked("m", messages))
    assert loaded.prompts == [
        "<|user|>a<|end|><|user|>b<|end|><|system|>c<|end|><|assistant|>d<|end|><|user|>Hello<|end|><|assistant|>"
    ]


def strict(messages: list[dict[str, str]]) -> str:
    """A template that refuses what its model was not trained with."""
    if any(one["role"] == two["role"] for one, two in itertools.pairwise(messages)):
        raise TemplateError("roles must alternate")
    return "".join(f"<|{one['role']}|>{one['content']}" for one in messages) + "<|assistant|>"


def test_a_conversation_that_the_template_refuses_does_not_spoil_the_next_one() -> None:
    loaded = says("Hi<|end|>", prompt_format=FileTemplate(strict))
    with pytest.raises(UsageError, match="roles must alternate"):
        ask(loaded, Asked("m", (*HELLO, *HELLO)))
    ask(loaded, Asked("m", HELLO))
    assert loaded.prompts == ["<|user|>Hello<|assistant|>"]


def test_a_file_without_a_usable_template_is_asked_plainly() -> None:
    def broken(_: list[dict[str, str]]) -> str:
        raise TemplateError("it cannot be parsed")

    loaded = says("Hi<|end|>", prompt_format=FileTemplate(broken))
    ask(loaded, Asked("m", HELLO))
    assert loaded.prompts == ["User: Hello\nAssistant:"]


def test_a_conversation_that_does_not_fit_has_its_counts() -> None:
    with pytest.raises(ContextExceededError) as caught:
        ask(says("x", tokens=64), Asked("m", (Message("user", "x" * 100),)))
    assert json.loads(json.dumps(caught.value.data)) == {"prompt_tokens": 104, "context_tokens": 64}
