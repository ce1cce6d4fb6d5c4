"""Answers of remotes: text, usage and reasons to end, from our own server and from a scripted one."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.chat_format.types import Message
from phicli.engine.types import Timings, Usage
from phicli.remotes.asking import RemoteAsking
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import answer_of, chunk, raw, remote_model
from tests.support.servers import ANSWER, QUESTION, Server

ASKED = (Message("user", QUESTION["messages"][0]["content"]),)


def test_an_answer_has_text_usage_and_a_reason_to_end() -> None:
    with Endpoint(lambda _: Behaviour()) as endpoint, remote_model(endpoint.url) as model:
        answer = answer_of(model, max_tokens=9, seed=7)
    assert (answer.text, answer.finish_reason, answer.usage) == ("one two three four", "length", Usage(33, 4, 0))
    body = endpoint.chats[0].body
    assert body["model"] == "phi-4"
    assert body["messages"] == [{"role": "user", "content": "Hello"}]
    assert (body["temperature"], body["seed"], body["max_completion_tokens"]) == (0.0, 7, 9)
    assert endpoint.chats[0].headers["user-agent"].startswith("phi/")


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (
            {"prompt_ms": 20, "predicted_ms": 50.5, "prompt_per_second": 100, "predicted_per_second": 40, "cache_n": 0},
            Timings(20.0, 50.5, 100.0, 40.0),
        ),
        ({"prompt_ms": 20, "predicted_ms": 50.5, "prompt_per_second": None, "predicted_per_second": 40}, None),
        ({"prompt_ms": -1, "predicted_ms": 50.5, "prompt_per_second": 1, "predicted_per_second": 40}, None),
        ("fast", None),
        (None, None),
    ],
)
def test_times_that_the_remote_reports_are_those_of_the_answer(reported: Any, expected: Timings | None) -> None:
    stream = raw(chunk({"content": "Hello"}), chunk({}, "stop", timings=reported))
    with Endpoint(lambda _: stream) as endpoint, remote_model(endpoint.url, kind="llama-server") as model:
        assert answer_of(model).timings == expected


def test_a_request_is_answered_as_with_a_model_of_this_machine() -> None:
    with Endpoint(lambda _: Behaviour(finish="stop")) as endpoint, remote_model(endpoint.url) as model:
        asked = Asked("lab/phi-4", (Message("user", "Hello"),), sampling={"seed": 5, "temperature": 1.0})
        *_, answer = RemoteAsking(model).answering(asked, 2)
    assert isinstance(answer, Answer)
    assert answer.text == "one two three four"
    assert endpoint.chats[0].body["seed"] == 7


def test_phi_serve_answers(server: Server) -> None:
    with remote_model(f"{server.address}/v1", model="tiny-phi") as model:
        answer = answer_of(model, ASKED, max_tokens=40)
        assert model.context_tokens is not None
    assert answer.text == ANSWER
    assert answer.finish_reason == "stop"
    assert answer.usage.completion_tokens > 0
