from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.chat_format.call_json import JsonEnd
from phicli.chat_format.tool_calls import ToolCallCollector, has_broken_call
from phicli.chat_format.types import ToolCall
from tests.support.conversations import seeded

NESTED = {"cities": [["Paris", "Lyon"], ["]", "}"]], "deep": {"a": [1, {"b": '\\"]'}]}, "tag": "<|/tool_call|>"}
WEATHER = ToolCall("get_weather", {"city": "Paris"})
WEATHER_JSON = '{"name": "get_weather", "arguments": {"city": "Paris"}}'

PYTHON = "{'name': 'get_weather', 'arguments': {'city': 'Paris'}}"

FOUND = [
    (f"<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>", "", [WEATHER]),
    (f"<|tool_call|>{WEATHER_JSON}<|/tool_call|>", "", [WEATHER]),
    (f"functools[{WEATHER_JSON}]", "", [WEATHER]),
    (f"[{WEATHER_JSON}]", "", [WEATHER]),
    (f"\n [\n {WEATHER_JSON} ]\n", "", [WEATHER]),
    (WEATHER_JSON, "", [WEATHER]),
    (f"```json\n[{WEATHER_JSON}]\n```", "", [WEATHER]),
    (f"```\n{WEATHER_JSON}\n```\nDone.", "Done.", [WEATHER]),
    (f"<|tool_call|>{WEATHER_JSON}<|/tool_call|>\n```py\n1\n```", "```py\n1\n```", [WEATHER]),
    (f"```json\n{WEATHER_JSON}\n``", "", [WEATHER]),
    (f"```json\n{WEATHER_JSON} or so", "or so", [WEATHER]),
    (f"<|tool_call|>[{WEATHER_JSON}, {WEATHER_JSON}]<|/tool_call|>", "", [WEATHER, WEATHER]),
    (f"<|tool_call|>{WEATHER_JSON}\n{WEATHER_JSON}<|/tool_call|>", "", [WEATHER, WEATHER]),
    (f"<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>\n<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>", "", [WEATHER] * 2),
    (f"<|tool_call|>[{WEATHER_JSON}]", "", [WEATHER]),
    (f"Let me look. <|tool_call|>[{WEATHER_JSON}]<|/tool_call|> So.", "Let me look. So.", [WEATHER]),
    (f"Sure: functools[{WEATHER_JSON}] and more", "Sure: and more", [WEATHER]),
    (
        f'<|tool_call|>[{{"name": "f", "arguments": {json.dumps(NESTED)}}}]<|/tool_call|>ok',
        "ok",
        [ToolCall("f", NESTED)],
    ),
    (f'functools[{{"name": "f", "arguments": {json.dumps(NESTED)}}}]ok', "ok", [ToolCall("f", NESTED)]),
    ('<|tool_call|>[{"name": "now"}]<|/tool_call|>', "", [ToolCall("now", {})]),
    ('<|tool_call|>[{"name": "f", "parameters": {"a": 1}}]<|/tool_call|>', "", [ToolCall("f", {"a": 1})]),
    ('<|tool_call|>[{"name": "f", "arguments": "{\\"a\\": 1}"}]<|/tool_call|>', "", [ToolCall("f", {"a": 1})]),
    (
        '<|tool_call|>[{"type": "function", "function": {"name": "f", "arguments": {}}}]<|/tool_call|>',
        "",
        [ToolCall("f", {})],
    ),
    (f"functools [{WEATHER_JSON}]", "", [WEATHER]),
    (f'{{"tool_calls": [{WEATHER_JSON}, {WEATHER_JSON}]}}', "", [WEATHER, WEATHER]),
    (f'<|tool_call|>{{"tool_calls": [{WEATHER_JSON}]}}<|/tool_call|>', "", [WEATHER]),
    (f'```json\n{{"tool_calls": [{WEATHER_JSON}]}}\n```', "", [WEATHER]),
    (f"{WEATHER_JSON}\n{WEATHER_JSON}", "", [WEATHER, WEATHER]),
    (f"[{WEATHER_JSON}]; [{WEATHER_JSON}] Done.", "Done.", [WEATHER, WEATHER]),
    (f"```json\n{WEATHER_JSON}\n{WEATHER_JSON}\n```", "", [WEATHER, WEATHER]),
    (f"{PYTHON}", "", [WEATHER]),
    (f"Here: <|tool_call|>[{PYTHON}]<|/tool_call|>", "Here: ", [WEATHER]),
    (f"functools[{PYTHON}]", "", [WEATHER]),
    (
        """[{'name': 'say', 'arguments': {'text': "it's", 'loud': True, 'to': None, 'n': (1, 2)}}]""",
        "",
        [ToolCall("say", {"text": "it's", "loud": True, "to": None, "n": [1, 2]})],
    ),
    (
        """<|tool_call|>{'name': 'say', 'arguments': {'text': 'it\\'s ]}', 'loud': true}}<|/tool_call|>""",
        "",
        [ToolCall("say", {"text": "it's ]}", "loud": True})],
    ),
    (f"<|tool_call|>[{WEATHER_JSON}] and <|/tool_call|>more", "and more", [WEATHER]),
    (f"<|tool_call|>[{WEATHER_JSON}]<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>", "", [WEATHER, WEATHER]),
    ('<|tool_call|>[{"name": "now", "arguments": ""}]<|/tool_call|>', "", [ToolCall("now", {})]),
    ('[{"name": "f", "arguments": {"a": "\\ud83d"}}]', "", [ToolCall("f", {"a": "\ufffd"})]),
    (f"`a` and <|tool_call|>[{WEATHER_JSON}]<|/tool_call|>", "`a` and ", [WEATHER]),
    (f"```\nx\n```\n<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>", "```\nx\n```\n", [WEATHER]),
]
NOT_FOUND = [
    "<|tool_call|>[{oops}]<|/tool_call|>",
    '<|tool_call|>[{"name": "f", "arguments": {"a": }}]<|/tool_call|> and text',
    '<|tool_call|>[{"name": "f", "arguments": {"a": 1}',
    '<|tool_call|>[{"name": "f", "arguments": [1]}]<|/tool_call|>',
    "<|tool_call|><|tool_call|>",
    '<|tool_call|>"just text"<|/tool_call|>',
    "<|tool_ca",
    "functools[0] is an index",
    "functools[{broken]",
    "import functools\nfunctools",
    '[{"name": "Ada", "born": 1815}]',
    '{"name": "Ada"}',
    '{"answer": [1, 2, {"name": "x", "arguments": {}}]}',
    "[1, 2, 3]",
    "[{",
    "```json\n[1]\n```",
    "```python\nprint(1)\n```",
    "```",
    "{}",
    "[]",
    f"See: {WEATHER_JSON}",
    "plain <|words|> < and > [more] {text}",
    "<|/tool_call|>",
    '{"name": "f", "arguments": "not json"}',
    f"Write `<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>` to call it.",
    f"So:\n```\n<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>\n```\nThat is all.",
    f"```python\nfunctools[{WEATHER_JSON}]\n```",
    f"Like this:\n```json\n[{WEATHER_JSON}]\n```",
    '[{"name": "f", "arguments": {"a": NaN}}]',
    "[{'name': 'f', 'arguments': {'a': {1, 2}}}]",
    "[{'name': 'f', 'arguments': {1: 2}}]",
    "[{'name': 'f', 'arguments': open('x')}]",
    "<|tool_call|>I don't know<|/tool_call|>",
    '[{"name": "f", "arguments": {"a": ' + "9" * 5000 + "}}]",
    '[{"name": "f", "arguments": ' + '{"a": ' * 200 + "1" + "}" * 200 + "}]",
    "{'name",
]
BROKEN = [
    "<|tool_call|>[{oops}]<|/tool_call|>",
    'Yes: <|tool_call|>[{"name": "f", "arguments": {"a": 1}',
    "<|tool_call|>get_weather(city='Paris')<|/tool_call|>",
    "<|tool_call|>",
    '<|tool_call|>[{"name": "f", "arguments": [1]}]<|/tool_call|>',
]


def collect(text: str, sizes: list[int] | None = None) -> tuple[str, list[ToolCall]]:
    collector, shown, at = ToolCallCollector(), "", 0
    for size in sizes or [len(text)]:
        shown += collector.feed(text[at : at + size])
        at += size
    shown += collector.feed(text[at:])
    shown += collector.finish()
    return shown, list(collector.tool_calls)


@pytest.mark.parametrize(("text", "shown", "calls"), FOUND + [(text, text, []) for text in NOT_FOUND])
def test_calls_are_found_and_nothing_is_lost_however_it_is_cut(text, shown, calls):
    assert collect(text) == (shown, calls)
    assert collect(text, [1] * len(text)) == (shown, calls)
    generator = seeded(text)
    for _ in range(20):
        assert collect(text, [generator.randrange(6) for _ in text]) == (shown, calls)


@pytest.mark.parametrize("text", BROKEN)
def test_a_marker_without_a_call_is_broken(text):
    assert has_broken_call(text)
    assert collect(text) == (text, [])


@pytest.mark.parametrize("text", [text for text, _, _ in FOUND] + ["", "no call", "`<|tool_call|>`", "[1]"])
def test_calls_and_text_are_not_broken(text):
    assert not has_broken_call(text)


@given(st.lists(st.sampled_from([text for text, _, _ in FOUND] + NOT_FOUND), min_size=1, max_size=3), st.data())
def test_no_split_changes_what_is_found(parts, data):
    text = "\n".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    assert collect(text, [end - start for start, end in pairwise([0, *cuts, len(text)])]) == collect(text)


def test_json_that_looked_like_a_call_at_first_does_not_hide_one() -> None:
    call = '<|tool_call|>[{"name": "f", "arguments": {}}]<|/tool_call|>'
    for before in ('{"answer": [1, {"name": "x"}]}', '[{"a": 1}]', f'{call} {{"answer": [1]}}'):
        whole = collect(f"{before}\n{call}")
        for cut in range(len(before)):
            assert collect(f"{before}\n{call}", [cut]) == whole


def test_random_answers_lose_nothing():
    parts = [
        "<|tool_call|>",
        "<|/tool_call|>",
        "functools",
        "[",
        "]",
        "{",
        "}",
        '"',
        '"name"',
        ":",
        ",",
        "x",
        " ",
        "\\",
        "'",
        "`",
        "\n",
        "'name'",
    ]
    for seed in range(400):
        generator = seeded(seed)
        text = "".join(generator.choice(parts) for _ in range(generator.randrange(1, 25)))
        whole = collect(text)
        assert collect(text, [1] * len(text)) == whole
        if not whole[1]:
            assert whole[0] == text


def test_ordinary_text_is_not_delayed():
    collector = ToolCallCollector()
    assert collector.feed("The ") == "The "
    assert collector.feed("answer <") == "answer "
    assert collector.feed("b> fun") == "<b> "
    assert collector.feed("ny [1] ") == "funny [1] "
    assert collector.feed("{") == "{"


def test_json_that_cannot_be_a_call_is_not_delayed():
    collector = ToolCallCollector()
    assert collector.feed('{"ci') == '{"ci'
    assert ToolCallCollector().feed("[1") == "[1"
    assert ToolCallCollector().feed("```py") == "```py"


def test_deep_nesting_is_text_and_no_crash():
    text = "<|tool_call|>" + "[" * 100_000 + "<|/tool_call|>"
    assert collect(text) == (text, [])


def test_a_long_call_is_looked_at_once():
    looked, text = 0, "[" + "1, " * 1000
    end = JsonEnd()
    for length in range(1, len(text) + 1):
        before = end._next
        assert end.find(text[:length], 0) is None
        looked += length - before
    assert looked == len(text)


def test_many_markers_without_a_call_are_text_and_take_no_time():
    marked = "<|tool_call|>[" * 3000
    looked = f"{marked}<|tool_call|>[{WEATHER_JSON}]<|/tool_call|>"
    assert collect(looked) == (looked, [])
