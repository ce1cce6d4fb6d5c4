"""Without special tokens in the contents, every format is the official template to the letter."""

from __future__ import annotations

import pytest

from phicli.chat_format import format_by_name
from phicli.chat_format.conversation import fold_system
from phicli.chat_format.types import Message, Special, Text, ToolCall
from tests.support import official
from tests.support.conversations import ORDINARY, random_conversation, seeded
from tests.support.segments import segment_text

RANDOM = tuple(random_conversation(seeded(seed), specials=False) for seed in range(60))
TOOLS = '[{"name": "get_weather", "description": "Weather of a city", "parameters": {"city": {"type": "str"}}}]'


@pytest.mark.parametrize("messages", ORDINARY + RANDOM)
@pytest.mark.parametrize(
    ("name", "template"),
    [("phi-3", official.PHI3), ("phi-4", official.PHI4), ("phi-4-mini", official.PHI4_MINI)],
)
@pytest.mark.parametrize("reasoning", [False, True])
def test_text_equals_the_official_template(name, template, reasoning, messages):
    segments = format_by_name(name, reasoning=reasoning).render(messages)
    assert segment_text(segments) == official.render_official(template, messages)


@pytest.mark.parametrize("messages", ORDINARY + RANDOM)
def test_folded_text_equals_the_template_of_medium_with_the_system_text_in_the_user_turn(messages):
    segments = format_by_name("phi-3-folded").render(messages)
    folded = fold_system(messages)
    assert segment_text(segments) == official.render_official(official.PHI3_MEDIUM, folded)
    assert all(message.role != "system" for message in folded)


def test_the_system_text_comes_before_the_first_user_text_only():
    messages = [Message("system", "S"), Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
    text = segment_text(format_by_name("phi-3-folded").render(messages))
    assert text == "<|user|>\nS\na<|end|>\n<|assistant|>\nb<|end|>\n<|user|>\nc<|end|>\n<|assistant|>\n"


def test_a_system_text_that_nobody_follows_is_a_turn_of_its_own():
    assert fold_system([Message("system", "S"), Message("system", "T")]) == [Message("user", "S\nT")]


def test_phi3_leaves_out_an_empty_system_message():
    messages = [Message("system", ""), Message("user", "hi")]
    text = segment_text(format_by_name("phi-3").render(messages))
    assert text == official.render_official(official.PHI3, messages) == "<|user|>\nhi<|end|>\n<|assistant|>\n"


def test_tools_stand_in_the_system_message():
    messages = [Message("system", "You have tools."), Message("user", "Weather in Paris?")]
    text = segment_text(format_by_name("phi-4-mini").render(messages, tools=TOOLS))
    assert text == official.render_official(official.PHI4_MINI, messages, tools=TOOLS)
    assert text.startswith(f"<|system|>You have tools.<|tool|>{TOOLS}<|/tool|><|end|>")


def test_tools_without_a_system_message_bring_an_empty_one():
    text = segment_text(format_by_name("phi-4-mini").render([Message("user", "hi")], tools="[]"))
    assert text == "<|system|><|tool|>[]<|/tool|><|end|><|user|>hi<|end|><|assistant|>"


def test_tools_are_declared_once():
    messages = [Message("system", "a"), Message("user", "b"), Message("system", "c")]
    text = segment_text(format_by_name("phi-4-mini").render(messages, tools=TOOLS))
    assert text == official.render_official(official.PHI4_MINI, messages, tools=TOOLS)
    assert text.count("<|tool|>") == 1


def test_a_round_of_tools_equals_the_official_text():
    call = '[{"name": "get_weather", "arguments": {"city": "Orléans"}}]'
    messages = [
        Message("system", "S"),
        Message("user", "Weather?"),
        Message("assistant", "Let me see.", tool_calls=(ToolCall("get_weather", {"city": "Orléans"}),)),
        Message("tool", '{"temperature": 12}'),
        Message("assistant", "12 degrees."),
        Message("user", "Thanks"),
    ]
    written = [*messages]
    written[2] = Message("assistant", f"Let me see.<|tool_call|>{call}<|/tool_call|>")
    segments = format_by_name("phi-4-mini").render(messages, tools=TOOLS)
    assert segment_text(segments) == official.render_official(official.PHI4_MINI, written, tools=TOOLS)
    assert [s.literal for s in segments if isinstance(s, Special) and "tool" in s.literal] == [
        "<|tool|>",
        "<|/tool|>",
        "<|tool_call|>",
        "<|/tool_call|>",
        "<|tool_response|>",
    ]


def test_ids_of_an_earlier_answer_replace_its_calls_too():
    answer = Message("assistant", "", (ToolCall("f", {}),), token_ids=(7, 8))
    segments = format_by_name("phi-4-mini").render([Message("user", "x"), answer, Message("tool", "1")])
    assert Text("", (7, 8)) in segments
    assert Special("<|tool_call|>") not in segments


@pytest.mark.parametrize("name", ["phi-3", "phi-4", "phi-4-mini"])
def test_the_history_of_a_reasoning_model_has_no_reasoning(name):
    thought = Message("assistant", "<think>\nlong\nthoughts</think>\n\n4", token_ids=(1, 2, 3))
    segments = format_by_name(name, reasoning=True).render([Message("user", "2+2"), thought, Message("user", "why")])
    assert Text("4") in segments
    assert "thoughts" not in segment_text(segments)
    kept = format_by_name(name).render([Message("user", "2+2"), thought, Message("user", "why")])
    assert Text(thought.content, (1, 2, 3)) in kept


def test_phi4_reasoning_names_its_tags_in_the_system_message_only():
    messages = [Message("system", "Use <think> {Thought} </think>."), Message("user", "<think> me")]
    segments = format_by_name("phi-4", reasoning=True).render(messages)
    assert [s for s in segments if isinstance(s, Special) and s.optional] == [
        Special("<think>", optional=True),
        Special("</think>", optional=True),
    ]
    assert Text("<think> me") in segments
    assert not [s for s in format_by_name("phi-4").render(messages) if isinstance(s, Special) and s.optional]
