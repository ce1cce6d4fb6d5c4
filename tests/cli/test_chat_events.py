"""``phi chat --events`` and ``--dry-run``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.types import Event, Notice, Undecided
from phicli.chat_format.types import Piece
from phicli.ui.events import print_events
from phicli.ui.terminal import Terminal
from tests.support.running import Phi

FRANCE = "What is the capital of France?"
WEATHER = "What is the weather in Paris?"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def tools(tmp_path: Path) -> str:
    path = tmp_path / "tools.json"
    path.write_text('[{"name": "get_weather", "parameters": {"city": {"type": "str"}}}]')
    return str(path)


def test_events_of_an_answer(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--events")
    events = lines(run.out)
    assert (run.code, run.err) == (0, "")
    assert (events[0]["event"], events[0]["schema"], events[0]["model"]) == ("start", 1, "tiny-phi")
    assert {event["event"] for event in events[1:-1]} == {"prefill", "text"}
    text = "".join(event["text"] for event in events if event["event"] == "text")
    assert text == events[-1]["text"] == "The capital of France is Paris."
    as_json = phi("chat", "tiny-phi", FRANCE, "--json").json["data"]
    assert events[-1].keys() == {"event", *as_json}
    assert events[-1]["event"] == "done"


def test_reasoning_and_calls_are_events(phi: Phi, tools: str) -> None:
    system = "Your name is Phi, an AI math expert developed by Microsoft."
    events = lines(phi("chat", "tiny-phi", "What is 7 + 5?", "--system", system, "--events").out)
    assert "".join(event["text"] for event in events if event["event"] == "reasoning") == events[-1]["reasoning"] != ""
    events = lines(phi("chat", "tiny-phi", WEATHER, "--tools", tools, "--events").out)
    assert events[-2] == {"event": "tool_call", "name": "get_weather", "arguments": {"city": "Paris"}}
    assert events[-1]["finish_reason"] == "tool_calls"


def test_an_error_is_the_last_line(phi: Phi) -> None:
    for arguments, code in [(("no-such-model", "hi"), 3), (("tiny-phi", "hi", "--json"), 2), (("tiny-phi",), 2)]:
        run = phi("chat", *arguments, "--events")
        assert run.code == code
        assert set(lines(run.out)[-1]) == {"schema", "command", "error"}


def test_an_interruption_prints_what_there_is() -> None:
    def events() -> Iterator[Event]:
        yield Notice("wait")
        yield Undecided(3)
        yield Piece("text", "The")
        raise KeyboardInterrupt

    output = io.StringIO()
    terminal = Terminal(io.StringIO(), output, io.StringIO(), colour=False)
    with pytest.raises(KeyboardInterrupt):
        print_events(terminal, {"model": "m"}, events(), lambda: {"finish_reason": "interrupted"})
    assert lines(output.getvalue()) == [
        {"event": "start", "model": "m"},
        {"event": "notice", "text": "wait"},
        {"event": "text", "text": "The"},
        {"event": "done", "finish_reason": "interrupted"},
    ]


def test_the_prompt_is_shown_and_not_sent(phi: Phi, tools: str) -> None:
    run = phi("chat", "tiny-phi", "Is <|end|> text?", "--tools", tools, "--dry-run")
    assert (run.code, run.err) == (0, "")
    prompt, ids, sums = run.out.split("\n\n")
    assert prompt.splitlines()[-4:] == ["<|user|>", '"Is <|end|> text?"', "<|end|>", "<|assistant|>"]
    assert f"prompt: {len(ids.split())} tokens" in sums
    assert "memory: " in sums
    data = phi("chat", "tiny-phi", "Is <|end|> text?", "--tools", tools, "--dry-run", "--json").json["data"]
    assert data["ids"] == list(map(int, ids.split()))
    assert data["prompt"][-3:] == [{"text": "Is <|end|> text?"}, {"special": "<|end|>"}, {"special": "<|assistant|>"}]
    sent = phi("chat", "tiny-phi", "Is <|end|> text?", "--tools", tools, "--json").json["data"]
    assert data["prompt_tokens"] == sent["usage"]["prompt_tokens"]
    assert data["memory"]["total_bytes"] > data["memory"]["weights_bytes"] > 0


def test_the_form_of_the_answer_is_shown_too(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", "hi", "--choice", "a,b", "--dry-run")
    assert (run.code, run.err) == (0, "")
    assert run.out.split("\n\n")[2] == 'form (gbnf):\nroot ::= "a" | "b"'
    assert phi("chat", "tiny-phi", "hi", "--choice", "a,b", "--dry-run", "--json").json["data"]["form"] == {
        "language": "gbnf",
        "text": 'root ::= "a" | "b"',
    }
    assert phi("chat", "tiny-phi", "hi", "--dry-run", "--json").json["data"]["form"] is None
    schema = phi("chat", "tiny-phi", "hi", "--schema", '{"type": "boolean"}', "--dry-run", "--json").json["data"][
        "form"
    ]
    assert (schema["language"], json.loads(schema["text"])["type"]) == ("json_schema", "boolean")
    wrong = phi("chat", "tiny-phi", "hi", "--schema", '{"type": "strin"}', "--dry-run")
    assert (wrong.code, wrong.out) == (2, "")


def test_a_dry_run_of_a_prompt_that_does_not_fit_ends_as_the_real_run(phi: Phi) -> None:
    arguments = ("chat", "tiny-phi", "word " * 2000)
    real, dry = phi(*arguments), phi(*arguments, "--dry-run")
    assert (real.code, dry.code, dry.err) == (7, 7, real.err)
    assert dry.out.startswith("<|user|>\n")
    as_json = phi(*arguments, "--dry-run", "--json")
    assert (as_json.code, as_json.json["error"]["code"]) == (7, "context_exceeded")
    assert len(as_json.json["data"]["ids"]) == as_json.json["data"]["prompt_tokens"] > 1024
    shortened = phi("chat", "tiny-phi", *arguments[2:], "--dry-run", "--on-overflow", "summarize")
    assert (shortened.code, "--on-overflow will shorten it" in shortened.err) == (0, True)


def test_a_prompt_is_processed_once_where_the_answer_has_a_form(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", "hi", "--choice", "a,b", "--events")
    events = [event for event in map(json.loads, run.out.splitlines()) if event["event"] == "prefill"]
    total = events[0]["total"]
    assert [(event["processed"], event["cached"]) for event in events] == [(0, 0), (total, 0)]


def test_a_dry_run_has_no_events(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", "hi", "--dry-run", "--events")
    error = json.loads(run.out)["error"]
    assert (run.code, error["code"], error["hint"]) == (2, "usage", "use --dry-run --json")
    assert error["message"].startswith("--dry-run and --events cannot be used together")


def test_a_dry_run_needs_a_question(phi: Phi) -> None:
    assert phi("chat", "tiny-phi", "--dry-run").code == 2
