"""Fields of requests that a remote refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from phicli.answering.types import Answer
from phicli.engine.endpoint.failures import EndpointError
from phicli.remotes.body import Body
from phicli.remotes.manner import Manner
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import events_of, failure_of, notices_in, remote_model

GOOD = Behaviour(finish="stop")


def negotiated(message: str, name: str, **asked: Any) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """What is said and what is sent at last, twice, to a server that refuses requests with a field."""
    with Endpoint() as endpoint:
        said = json.dumps({"error": {"message": message}}).encode()
        endpoint.behave = lambda _: Behaviour(status=400, body=said) if name in endpoint.current.body else GOOD
        with remote_model(endpoint.url, kind="openai") as model:
            for _ in range(2):
                events = events_of(model, **asked)
                assert isinstance(events[-1], Answer)
                yield notices_in(events), endpoint.chats[-1].body


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Unsupported value: 'temperature' does not support 0.0 with this model.", "temperature"),
        ("Unrecognized request argument supplied: stream_options", "stream_options"),
        ("[{'loc': ('body', 'seed'), 'msg': 'extra fields not permitted'}]", "seed"),
    ],
)
def test_a_field_that_is_refused_is_left_out_and_said(message: str, name: str) -> None:
    (said, body), (again, body_again) = negotiated(message, name, seed=3)
    assert len(said) == 1
    assert said[0].startswith(f"lab does not take {name}, so it is left out: ")
    assert again == []
    assert name not in body
    assert name not in body_again
    assert body["messages"] == [{"role": "user", "content": "Hello"}]


def test_the_other_name_of_the_limit_is_used_where_it_is_asked_for() -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    for said, body in negotiated(message, "max_tokens", max_tokens=7):
        assert said == []
        assert body["max_completion_tokens"] == 7


def test_what_has_to_be_sent_is_not_left_out() -> None:
    for message in ("'messages' is wrong", "model phi-4 is not here", "no"):
        error = failure_of(Behaviour(status=400, body=json.dumps({"error": {"message": message}}).encode()))
        assert error.kind == "rejected"


def test_probabilities_are_left_out_as_a_whole() -> None:
    for said, body in negotiated("'logprobs' is not supported with this model", "logprobs", likeliest=2):
        assert len(said) <= 1
        assert not body.keys() & {"logprobs", "top_logprobs"}


def test_what_several_requests_learn_at_a_time_is_said_once() -> None:
    """Each was sent before the first of them was refused."""
    manner, sent = Manner(), {"model": "m", "messages": [], "seed": 1, "max_tokens": 5}
    error = EndpointError("rejected", "'seed' is not supported")
    assert [manner.learn(error, sent) for _ in range(3)] == ["seed", "", ""]
    other = EndpointError("rejected", "use max_completion_tokens")
    assert [manner.learn(other, sent) for _ in range(2)] == ["", ""]
    fields = manner.applied(Body(dict(sent))).fields
    assert fields == {"model": "m", "messages": [], "max_completion_tokens": 5}
    assert manner.learn(other, fields) is None, "it is sent as it was asked for, so asking again is of no use"
