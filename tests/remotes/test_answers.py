"""Answers of remotes: text, usage and reasons to end, from our own server and from a scripted one."""

from __future__ import annotations

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.chat_format.types import Message
from phicli.engine.types import Usage
from phicli.remotes.asking import RemoteAsking
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import answer_of, remote_model
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
