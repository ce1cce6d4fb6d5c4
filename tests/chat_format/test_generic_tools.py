"""Tools for models that were not trained to call them."""

from __future__ import annotations

import pytest

from phicli.chat_format import format_by_name
from phicli.chat_format.example import spelled
from phicli.chat_format.generic_tools import GenericTools
from phicli.chat_format.types import Message, Piece, PromptFormat, ToolCall

TOOLS = '[{"name": "now", "parameters": {}}, {"name": "get_weather"}]'
CALL = '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}'
WEATHER = ToolCall("get_weather", {"city": "Paris"})


def prompt(messages: list[Message], tools: str | None, inner: PromptFormat | None = None) -> str:
    rendered = GenericTools(inner or format_by_name("phi-4")).render(messages, tools=tools)
    return "".join(spelled(segment) for segment in rendered)


@pytest.mark.parametrize("name", ["phi-3", "phi-3-folded", "phi-4", "phi-4-mini", "plain"])
def test_the_system_message_declares_the_tools(name: str) -> None:
    for messages in ([Message("user", "Hi")], [Message("system", "Be kind."), Message("user", "Hi")]):
        text = prompt(messages, TOOLS, format_by_name(name))
        assert '"tool_calls"' in text
        assert '\n{"name": "now", "parameters": {}}\n{"name": "get_weather"}' in text
        assert ("Be kind.\n\n" in text) == (len(messages) == 2)
        assert "<|tool|>" not in text


def test_calls_and_results_are_text() -> None:
    history = [
        Message("user", "And?"),
        Message("assistant", "Let me look.", (WEATHER, ToolCall("now", {}))),
        Message("tool", '{"sky": "sunny"}'),
        Message("tool", "noon"),
        Message("assistant", "Sunny."),
        Message("tool", "late"),
        Message("user", "Thanks"),
    ]
    text = prompt(history, None)
    assert 'Let me look.\n{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}, ' in text
    assert 'Result of get_weather: {"sky": "sunny"}\nResult of now: noon<|im_end|>' in text
    assert "Result: late<|im_end|>" in text
    assert text.endswith("Thanks<|im_end|><|im_start|>assistant<|im_sep|>")


def test_ids_of_plain_answers_are_kept() -> None:
    rendered = GenericTools(format_by_name("phi-4")).render([Message("assistant", "Hi", (), (1, 2))])
    assert any(getattr(segment, "token_ids", None) == (1, 2) for segment in rendered)


def test_answers_are_parsed_where_tools_were_declared() -> None:
    generic = GenericTools(format_by_name("phi-4", reasoning=True))
    parser = generic.parser(tools=True)
    pieces = [piece for letter in f"<think>Hm {CALL}</think>{CALL}Done." for piece in parser.feed(letter)]
    pieces += parser.finish()
    assert parser.tool_calls == (WEATHER,)
    assert "".join(piece.text for piece in pieces if piece.kind == "text") == "Done."
    assert "".join(piece.text for piece in pieces if piece.kind == "reasoning") == f"Hm {CALL}"
    plain = generic.parser()
    assert [*plain.feed(CALL), *plain.finish()] == [Piece("text", CALL)]


def test_what_a_format_ends_with_is_that_of_the_format_inside() -> None:
    inner = format_by_name("plain")
    generic = GenericTools(inner)
    assert (generic.name, generic.stop_tokens, generic.stop_strings, generic.visible_tokens) == (
        inner.name, inner.stop_tokens, inner.stop_strings, inner.visible_tokens,
    )  # fmt: skip
