from __future__ import annotations

import pytest

from phicli.chat_format import FORMAT_NAMES, format_by_name
from phicli.chat_format.types import Message, Piece, PromptFormat, Text, ToolCall
from phicli.errors import UsageError
from tests.support.segments import segment_text

WITHOUT_TOOLS = tuple(name for name in FORMAT_NAMES if name != "phi-4-mini")


def test_every_name_is_a_format_of_that_name():
    for name in FORMAT_NAMES:
        made: PromptFormat = format_by_name(name, reasoning=True)
        assert made.name == name


def test_an_unknown_name_says_which_are_known():
    with pytest.raises(ValueError, match="phi-4-mini"):
        format_by_name("phi-5")


@pytest.mark.parametrize("name", WITHOUT_TOOLS)
@pytest.mark.parametrize(
    ("messages", "tools"),
    [
        ([Message("user", "x")], "[]"),
        ([Message("tool", "x")], None),
        ([Message("assistant", "", (ToolCall("f", {}),))], None),
    ],
)
def test_tools_are_refused_where_there_is_no_place_for_them(name, messages, tools):
    with pytest.raises(UsageError) as caught:
        format_by_name(name).render(messages, tools=tools)
    assert "phi-4-mini" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "ends"), [("phi-3", "<|end|>"), ("phi-4", "<|im_end|>"), ("phi-4-mini", "<|end|>"), ("completion", None)]
)
def test_every_answer_has_its_end(name, ends):
    stop_tokens = format_by_name(name).stop_tokens
    assert "<|endoftext|>" in stop_tokens
    assert ends is None or ends in stop_tokens


def test_the_parser_sees_the_markers_it_needs():
    assert format_by_name("phi-4-mini").visible_tokens == ("<|tool_call|>", "<|/tool_call|>")
    assert "<think>" in format_by_name("phi-4", reasoning=True).visible_tokens
    assert format_by_name("phi-4").visible_tokens == ()


def test_code_is_continued_as_it_is():
    completion = format_by_name("completion")
    code = "def fibonacci(n):\n    "
    assert completion.render([Message("user", code)]) == (Text(code),)
    later = [Message("user", "def f():"), Message("assistant", "\n    return 1"), Message("user", "def g():")]
    assert segment_text(completion.render(later)) == "def f():\n    return 1\n\ndef g():"
    assert completion.render([]) == ()
    assert "\n\n\n" in completion.stop_strings


def test_code_takes_no_system_message():
    with pytest.raises(UsageError, match="system"):
        format_by_name("completion").render([Message("system", "Be brief"), Message("user", "x")])
    assert format_by_name("completion").render([Message("system", ""), Message("user", "x")]) == (Text("x"),)


def test_questions_to_base_models():
    asked = format_by_name("completion-qa")
    messages = [Message("user", "Capital of France?")]
    assert segment_text(asked.render(messages)) == "Instruct: Capital of France?\nOutput:"
    messages = [
        Message("system", "Short answers."),
        *messages,
        Message("assistant", "Paris", token_ids=(1,)),
        Message("user", "Of Italy?"),
    ]
    assert segment_text(asked.render(messages)) == (
        "Short answers.\nInstruct: Capital of France?\nOutput: Paris\nInstruct: Of Italy?\nOutput:"
    )
    assert all(segment.token_ids is None for segment in asked.render(messages) if isinstance(segment, Text))
    assert {"\nInstruct:", "\nAlice:"} <= set(asked.stop_strings)


def test_plain_rendering():
    plain = format_by_name("plain")
    messages = [Message("system", "S"), Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
    assert segment_text(plain.render(messages)) == "S\nUser: a\nAssistant: b\nUser: c\nAssistant:"
    assert "\nUser:" in plain.stop_strings


@pytest.mark.parametrize(
    ("name", "expected"), [("completion", " Paris "), ("completion-qa", "Paris "), ("plain", "Paris ")]
)
def test_the_space_after_the_colon_is_not_part_of_the_answer(name, expected):
    parser = format_by_name(name).parser()
    pieces = [*parser.feed(" "), *parser.feed("Paris "), *parser.finish()]
    assert "".join(piece.text for piece in pieces) == expected
    assert all(piece.kind == "text" for piece in pieces)


def test_think_is_text_to_a_model_that_does_not_reason():
    parser = format_by_name("phi-4-mini").parser(tools=True)
    assert [*parser.feed("<think>a</think>b"), *parser.finish()] == [Piece("text", "<think>a</think>b")]
