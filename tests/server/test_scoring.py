"""Probabilities that come with the text of a stream."""

from __future__ import annotations

from typing import Any, cast

import pytest

from phicli.answering.types import Answer
from phicli.server.loading import Loaded
from phicli.server.making import answering
from phicli.server.openai.chat_request import read_chat_request
from phicli.server.openai.completion_request import read_completion_request
from phicli.server.scoring import ScoredPiece
from tests.fakes.scripted_loaded import ScriptedLoaded

ASKED: dict[str, Any] = {"model": "m", "stream": True}
HELLO = [{"role": "user", "content": "Hello"}]


def chunks(wanted: Any, text: str = "Hi there") -> list[Any]:
    reply = wanted.reply()
    events = answering(cast(Loaded, ScriptedLoaded(lambda _: f"{text}<|end|>")), wanted.asked)
    return [chunk["choices"][0] for event in events for chunk in reply.chunks(0, event)]


def test_each_chunk_has_the_tokens_of_its_text() -> None:
    made = chunks(read_chat_request({**ASKED, "messages": HELLO, "logprobs": True}))
    scored = [(one["delta"]["content"], one["logprobs"]["content"]) for one in made if one["logprobs"]]
    assert [text for text, _ in scored] == list("Hi there")
    assert all([token["token"] for token in tokens] == [text] for text, tokens in scored)


def test_text_that_waited_has_all_of_its_tokens() -> None:
    made = chunks(read_chat_request({**ASKED, "messages": HELLO, "logprobs": True, "stop": "there is"}))
    tokens = [token["token"] for one in made if one["logprobs"] for token in one["logprobs"]["content"]]
    assert "".join(tokens) == "Hi there"


def test_a_form_has_them_when_it_was_checked() -> None:
    form = {"type": "json_object"}
    made = chunks(read_chat_request({**ASKED, "messages": HELLO, "logprobs": True, "response_format": form}), "{}")
    (scored,) = [one for one in made if one["logprobs"]]
    assert (scored["delta"]["content"], len(scored["logprobs"]["content"])) == ("{}", 2)


def test_a_completion_has_the_places_of_its_tokens() -> None:
    made = chunks(read_completion_request({**ASKED, "prompt": "x", "logprobs": 1}))
    offsets = [place for one in made if one["logprobs"] for place in one["logprobs"]["text_offset"]]
    assert offsets == list(range(len("Hi there")))
    assert made[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("more", [{"stream": False, "logprobs": True}, {}])
def test_nothing_is_scored_that_nobody_asked_for(more: dict[str, Any]) -> None:
    wanted = read_chat_request({**ASKED, "messages": HELLO, **more})
    events = list(answering(cast(Loaded, ScriptedLoaded(lambda _: "Hi<|end|>")), wanted.asked))
    assert not any(isinstance(event, ScoredPiece) for event in events)
    assert isinstance(events[-1], Answer)


def test_closing_stops_the_engine() -> None:
    loaded = ScriptedLoaded(lambda _: "Hi there<|end|>")
    wanted = read_chat_request({**ASKED, "messages": HELLO, "logprobs": True})
    stream = answering(cast(Loaded, loaded), wanted.asked)
    while not isinstance(next(stream), ScoredPiece):
        pass
    stream.close()
    assert list(stream) == []
    assert loaded.engines[0].stopped_early == 1
    assert stream.so_far().finish_reason == "interrupted"
