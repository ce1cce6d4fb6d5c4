"""Every shape in which models write tool calls, through ``phi chat --tools``: as the ids of a real file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import seeded
from tests.support.reasoning_gguf import write_caller
from tests.support.running import Phi

pytestmark = pytest.mark.process

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PLACES = {
    "type": "object",
    "properties": {"places": {"type": "array", "items": CITY}, "options": {"type": "object"}},
    "required": ["places"],
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": CITY}},
    {"type": "function", "function": {"name": "route", "description": "A route", "parameters": PLACES}},
]
PARIS = {"name": "get_weather", "arguments": {"city": "Paris"}}
ROME = {"name": "get_weather", "arguments": {"city": "Rome"}}
NESTED = {
    "name": "route",
    "arguments": {"places": [{"city": "Paris"}, {"city": "]}"}], "options": {"a": [[1, 2.5], None], "b": "it's"}},
}
P, R, N = map(json.dumps, (PARIS, ROME, NESTED))
OPEN, CLOSE = "<|tool_call|>", "<|/tool_call|>"
AS_FUNCTION = json.dumps({"type": "function", "id": "x", "function": {**PARIS, "arguments": '{"city": "Paris"}'}})
AS_PARAMETERS = json.dumps({"name": "get_weather", "parameters": {"city": "Paris"}})
PYTHON = "{'name': 'get_weather', 'arguments': {'city': 'Paris'}}"
NESTED_PYTHON = repr(NESTED)

REPLIES: dict[str, tuple[str, str, list[Any]]] = {
    "a list": (f"{OPEN}[{P}]{CLOSE}", "", [PARIS]),
    "an object": (f"{OPEN}{P}{CLOSE}", "", [PARIS]),
    "without an end": (f"{OPEN}[{P}]", "", [PARIS]),
    "nested": (f"{OPEN}[{N}]{CLOSE}", "", [NESTED]),
    "several in a list": (f"{OPEN}[{P}, {R}, {N}]{CLOSE}", "", [PARIS, ROME, NESTED]),
    "several objects": (f"{OPEN}{P}\n{R}{CLOSE}", "", [PARIS, ROME]),
    "several blocks": (f"{OPEN}[{P}]{CLOSE}\n{OPEN} {R}{CLOSE} ", "", [PARIS, ROME]),
    "text around": (f"Let me look. {OPEN}[{P}]{CLOSE} One moment.", "Let me look. One moment.", [PARIS]),
    "tool_calls": (f'{{"tool_calls": [{P}, {R}]}}', "", [PARIS, ROME]),
    "tool_calls in markers": (f'{OPEN}{{"tool_calls": [{N}]}}{CLOSE}', "", [NESTED]),
    "functools": (f"functools[{P}, {N}]", "", [PARIS, NESTED]),
    "functools and a space": (f"functools [{P}]", "", [PARIS]),
    "functools behind text": (f"Sure: functools[{N}] Done.", "Sure: Done.", [NESTED]),
    "a bare list": (f"[{P}, {R}]", "", [PARIS, ROME]),
    "a bare object": (N, "", [NESTED]),
    "a fence": (f"```json\n[{P}]\n```", "", [PARIS]),
    "a fence and text": (f"```json\n{N}\n```\nDone.", "Done.", [NESTED]),
    "Python": (f"{OPEN}[{PYTHON}]{CLOSE}", "", [PARIS]),
    "nested Python": (f"{OPEN}[{NESTED_PYTHON}, {PYTHON}]{CLOSE}", "", [NESTED, PARIS]),
    "bare Python": (f"[{NESTED_PYTHON}]", "", [NESTED]),
    "functools and Python": (f"functools [{PYTHON}]", "", [PARIS]),
    "tool_calls and Python": (f"{{'tool_calls': [{NESTED_PYTHON}]}}", "", [NESTED]),
    "OpenAI": (f"{OPEN}[{AS_FUNCTION}]{CLOSE}", "", [PARIS]),
    "parameters": (f"{OPEN}[{AS_PARAMETERS}]{CLOSE}", "", [PARIS]),
}


def cut(text: str, seed: str) -> list[str]:
    """``text`` in pieces that are all different; a marker is a piece of its own where it stands the first time."""
    dice, pieces = seeded(seed), list[str]()
    for part in filter(None, re.split(f"({re.escape(OPEN)}|{re.escape(CLOSE)})", text)):
        if part in (OPEN, CLOSE):
            pieces.append(part if part not in pieces else f" {part}")
            continue
        at = 0
        while at < len(part):
            size = dice.randint(1, 12) if seed else len(part)
            while part[at : at + size] in pieces and at + size < len(part):
                size += 1
            pieces.append(part[at : at + size] if part[at : at + size] not in pieces else f"{part[at : at + size]} ")
            at += size
    return pieces


@pytest.mark.parametrize("seed", ["", "a"], ids=["few-tokens", "many-tokens"])
@pytest.mark.parametrize("shape", REPLIES)
def test_a_reply_is_calls_and_text(phi: Phi, tmp_path: Path, shape: str, seed: str) -> None:
    reply, text, calls = REPLIES[shape]
    model = write_caller(tmp_path / "caller.gguf", cut(reply, seed and f"{seed}{shape}"))
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(TOOLS))
    run = phi("chat", str(model), "go", "--tools", str(tools), "--force-tools", "--events")
    assert run.code == 0, run.out
    events = [json.loads(line) for line in run.out.splitlines()]
    done = events[-1]
    assert (done["tool_calls"], done["finish_reason"], done["tool_error"]) == (calls, "tool_calls", None)
    assert [
        {"name": one["name"], "arguments": one["arguments"]} for one in events if one["event"] == "tool_call"
    ] == calls
    assert (done["text"].split(), "".join(one["text"] for one in events if one["event"] == "text")) == (
        text.split(),
        done["text"],
    )


def test_text_and_calls_are_lines_and_a_wrong_call_is_not_printed(phi: Phi, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(TOOLS))

    def answer(reply: str) -> Any:
        model = write_caller(tmp_path / "caller.gguf", cut(reply, ""))
        return phi("chat", str(model), "go", "--tools", str(tools), "--force-tools")

    both = answer(f"Let me look. {OPEN}[{P}, {R}]{CLOSE}")
    assert (both.code, both.out.splitlines(), both.err) == (0, ["Let me look. ", P, R], "")
    wrong = answer(f"{OPEN}[{P}, {json.dumps({'name': 'get_weather', 'arguments': {}})}]{CLOSE}")
    assert (wrong.code, wrong.out) == (9, "")
    assert "error: the model made a wrong tool call again: get_weather: 'city' is a required property\n" in wrong.err


def test_a_reply_that_is_no_call_is_fed_back_shown_and_an_error(phi: Phi, tmp_path: Path) -> None:
    model = write_caller(tmp_path / "caller.gguf", [OPEN, "[{oops", "}]", CLOSE])
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(TOOLS))
    run = phi("chat", str(model), "go", "--tools", str(tools), "--force-tools")
    assert (run.code, run.out) == (9, f"{OPEN}[{{oops}}]{CLOSE}\n")
    problem = "a call cannot be read: it must be a JSON list of objects with name and arguments"
    assert f"note: the model made a wrong tool call: {problem}; it is asked again\n" in run.err
    assert f"error: the model made a wrong tool call again: {problem}\n" in run.err
