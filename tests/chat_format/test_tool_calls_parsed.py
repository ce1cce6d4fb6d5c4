"""Tool calls in the answers of a prompt format."""

from __future__ import annotations

import pytest

from phicli.chat_format import format_by_name
from phicli.chat_format.types import Piece, ToolCall

WEATHER = ToolCall("get_weather", {"city": "Paris"})
WEATHER_JSON = '{"name": "get_weather", "arguments": {"city": "Paris"}}'


def test_the_format_collects_only_when_tools_were_declared():
    text = f"[{WEATHER_JSON}]"
    parser = format_by_name("phi-4-mini").parser()
    assert [*parser.feed(text), *parser.finish()] == [Piece("text", text)]
    assert parser.tool_calls == ()
    parser = format_by_name("phi-4-mini").parser(tools=True)
    assert [*parser.feed(text), *parser.finish()] == []
    assert parser.tool_calls == (WEATHER,)


CALL_BY_ID = [  # before the marker, behind it, what is shown
    ("Here:\n```json\n", f"[{WEATHER_JSON}]<|/tool_call|>\n```", "Here:\n```json\n```"),
    ("```json\n", f"[{WEATHER_JSON}]<|/tool_call|>", "```json\n"),
    ("use `", f"{WEATHER_JSON}<|/tool_call|>", "use `"),
    ("functools", f"[{WEATHER_JSON}]", "functools"),
    ('[{"name": "f", ', f"[{WEATHER_JSON}]<|/tool_call|>ok", '[{"name": "f", ok'),
    (f"<|tool_call|>[{WEATHER_JSON}, ", f"[{WEATHER_JSON}]<|/tool_call|>", f"<|tool_call|>[{WEATHER_JSON}, "),
    ("", f"[{WEATHER_JSON}]<|/tool_call|>", ""),
]


@pytest.mark.parametrize("reasoning", [False, True])
@pytest.mark.parametrize(("before", "behind", "shown"), CALL_BY_ID)
def test_a_marker_that_was_one_token_is_one_also_in_code(before, behind, shown, reasoning):
    for size in (1, 3, 1000):
        parser = format_by_name("phi-4-mini", reasoning=reasoning).parser(tools=True)
        pieces = [piece for at in range(0, len(before), size) for piece in parser.feed(before[at : at + size])]
        pieces += parser.feed("<|tool_call|>", special=True)
        pieces += [piece for at in range(0, len(behind), size) for piece in parser.feed(behind[at : at + size])]
        pieces += parser.finish()
        assert "".join(piece.text for piece in pieces) == shown
        assert parser.tool_calls == (WEATHER,)


def test_a_marker_in_reasoning_is_reasoning_also_as_one_token():
    parser = format_by_name("phi-4-mini", reasoning=True).parser(tools=True)
    pieces = [*parser.feed("<think>a"), *parser.feed("<|tool_call|>", special=True), *parser.feed(WEATHER_JSON)]
    pieces += [*parser.feed("</think>ok"), *parser.finish()]
    assert "".join(piece.text for piece in pieces if piece.kind == "text") == "ok"
    assert parser.tool_calls == ()


def test_without_tools_the_marker_is_text():
    parser = format_by_name("phi-4-mini").parser()
    assert [*parser.feed("<|tool_call|>", special=True), *parser.finish()] == [Piece("text", "<|tool_call|>")]


def test_calls_in_the_reasoning_are_reasoning():
    marked = f"<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>"
    parser = format_by_name("phi-4-mini", reasoning=True).parser(tools=True)
    pieces = [*parser.feed(f"<think>{marked}</think>{marked}"), *parser.finish()]
    assert pieces == [Piece("reasoning", marked)]
    assert parser.tool_calls == (WEATHER,)


def test_text_waits_only_while_it_may_be_a_call():
    parser = format_by_name("phi-4-mini").parser(tools=True)
    waits = []
    for part in ("Look ", "<|tool_", "call|>", '[{"name"', f": {WEATHER_JSON[9:]}]", "<|/tool_call|>", " Done"):
        parser.feed(part)
        waits.append(parser.waiting)
    assert waits == [False, False, True, True, False, False, False]
    assert parser.tool_calls == (WEATHER,)
