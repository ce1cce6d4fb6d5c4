"""What answers of remotes say that is not what was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from phicli.answering.types import REPETITION, Answer, Ending
from phicli.chat_format.types import ToolCall
from phicli.engine.types import Usage
from phicli.remotes.retrying import Retrying
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import answer_of, chunk, events_of, failure_of, in_turn, notices_in, raw, remote_model


def test_another_model_is_said_once() -> None:
    def events(name: str) -> Behaviour:
        return raw({**chunk({"content": "x"}, "stop"), "model": name})

    with Endpoint(lambda _: events("llama-3.1-8b")) as endpoint, remote_model(endpoint.url) as model:
        said = notices_in(events_of(model) + events_of(model))
    assert [one for one in said if "another model" in one] == [
        "lab answers with another model: llama-3.1-8b in place of phi-4"
    ]
    for name in ("phi-4", "microsoft/Phi-4", "phi-4-2024-12-12", "/models/phi-4-Q4_K_M.gguf", "PHI-4:latest", ""):
        how = events(name)
        with Endpoint(in_turn(how)) as endpoint, remote_model(endpoint.url) as model:
            assert not any("another model" in one for one in notices_in(events_of(model))), name
    with Endpoint(lambda _: events("other")) as endpoint, remote_model(endpoint.url, kind="azure") as model:
        assert not any("another model" in one for one in notices_in(events_of(model))), "deployments have any name"


def test_without_usage_the_counts_are_said_to_be_estimates() -> None:
    with Endpoint(lambda _: Behaviour(told=False)) as endpoint, remote_model(endpoint.url) as model:
        events = events_of(model)
        answer = events[-1]
        again = events_of(model)
    assert isinstance(answer, Answer)
    assert answer.usage.completion_tokens == 4
    assert answer.usage.prompt_tokens > 0
    assert len([one for one in notices_in(events) if "estimates" in one]) == 1
    assert notices_in(again) == []


@pytest.mark.parametrize(
    ("word", "reason", "said"),
    [
        (None, "stop", ""),
        ("stop", "stop", ""),
        ("EOS", "stop", ""),
        ("length", "length", ""),
        ("max_tokens", "length", ""),
        ("content_filter", "stop", "content filter"),
        ("abort", "stop", "another reason: abort"),
    ],
)
def test_reasons_to_end_have_many_words(word: str | None, reason: str, said: str) -> None:
    how = Behaviour(finish=word)
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        events = events_of(model)
    assert isinstance(events[-1], Answer)
    assert events[-1].finish_reason == reason
    assert [said in one for one in notices_in(events)] == ([True] if said else [])


def test_a_limit_that_is_ignored_is_kept_here() -> None:
    how = Behaviour(pieces=tuple(f" {number}" for number in range(500)))
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        events = events_of(model, max_tokens=30)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.finish_reason == "length"
    assert 30 <= answer.usage.completion_tokens < 60
    assert any("ignores the limit of 30 tokens" in one for one in notices_in(events))


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_an_answer_that_repeats_itself_is_ended(field: str) -> None:
    how = Behaviour(pieces=(" again", " and") * 2000, field=field)
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        answer = answer_of(model, ending=Ending(brake=True))
        assert (answer.finish_reason, answer.stopped_by) == ("stop", REPETITION)
        assert answer.usage.completion_tokens < 1000
        assert answer_of(model).usage.completion_tokens == 4000


def test_halves_of_characters_are_replaced() -> None:
    """JSON can spell them, and no terminal can print them."""
    how = Behaviour(raw=b'data: {"choices": [{"delta": {"content": "a\\ud83db"}, "finish_reason": "stop"}]}\n\n')
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        assert answer_of(model).text == "a\ufffdb"


WHOLE: dict[str, Any] = {
    "model": "phi-4",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "All at once."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3},
}


def test_an_answer_in_one_piece_is_one_too() -> None:
    """Some servers between us and the model do not stream, whatever they are asked for."""
    how = Behaviour(raw=json.dumps(WHOLE, indent=1).encode(), headers={"Content-Type": "application/json"})
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        answer = answer_of(model)
    assert (answer.text, answer.finish_reason, answer.usage) == ("All at once.", "stop", Usage(5, 3, 0))
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}}
    message = {"role": "assistant", "content": None, "reasoning_content": "Hm", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    how = replace(how, raw=json.dumps({**WHOLE, "choices": [choice]}).encode())
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        answer = answer_of(model)
    assert (answer.tool_calls, answer.reasoning) == ((ToolCall("add", {"x": 1}),), "Hm")


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"choices": [3]}', b'{"choices": [{"message": 3}]}', b"{", b""])
def test_json_that_is_no_answer_is_a_failure(body: bytes) -> None:
    error = failure_of(Behaviour(raw=body, headers={"Content-Type": "application/json"}), retrying=Retrying(0, 0))
    assert error.kind in ("garbage", "cut")


def test_json_that_is_an_error_is_quoted() -> None:
    how = Behaviour(raw=b'{"error": "no such model"}', headers={"Content-Type": "application/json"})
    assert "no such model" in failure_of(how).message
