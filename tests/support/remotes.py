"""Models of remotes, opened for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from phicli.answering.types import NO_ENDING, Answer, Ending, Event, Model, Notice
from phicli.chat_format.types import Message, Piece
from phicli.engine.endpoint.failures import EndpointError
from phicli.engine.types import Sampling
from phicli.remotes.model import RemoteModel
from phicli.remotes.opening import open_remote
from phicli.remotes.retrying import Retrying
from phicli.remotes.types import KindName, Remote, RemoteModelName
from tests.support.endpoint import Behaviour, Endpoint

QUICKLY = Retrying(busy=3, unreachable=2, first_s=0.02, longest_s=0.05)
HELLO = (Message("user", "Hello"),)


@contextmanager
def remote_model(
    url: str, *, kind: KindName = "phi", model: str = "phi-4", key_env: str | None = None, **more: Any
) -> Iterator[RemoteModel]:
    """The model of a remote called ``lab`` at ``url``."""
    named = RemoteModelName(Remote("lab", url, kind, key_env), model)
    silence_s = more.pop("silence_s", 20.0)
    with open_remote(named, **{"retrying": QUICKLY, **more}) as opened:
        yield replace(opened, silence_s=silence_s)


def events_of(
    model: Model,
    messages: tuple[Message, ...] = HELLO,
    *,
    tools: str | None = None,
    ending: Ending = NO_ENDING,
    **sampling: Any,
) -> list[Event]:
    """All events of an answer."""
    return list(model.answer(messages, tools=tools, sampling=Sampling(**sampling), ending=ending))


def answer_of(model: Model, messages: tuple[Message, ...] = HELLO, **more: Any) -> Answer:
    """The answer, which must be the last event and have the text that was shown."""
    events = events_of(model, messages, **more)
    answer = events[-1]
    assert isinstance(answer, Answer)
    pieces = [event for event in events if isinstance(event, Piece)]
    assert "".join(piece.text for piece in pieces if piece.kind == "text") == answer.text
    assert "".join(piece.text for piece in pieces if piece.kind == "reasoning") == answer.reasoning
    return answer


def notices_in(events: list[Event]) -> list[str]:
    """What was said."""
    return [event.text for event in events if isinstance(event, Notice)]


def failure_of(how: Behaviour, **more: Any) -> EndpointError:
    """What a request that is answered in this way raises."""
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url, **more) as model:
        try:
            events_of(model)
        except EndpointError as error:
            return error
    raise AssertionError("it was answered")


def raw(*events: Any, done: bool = True) -> Behaviour:
    """A stream of these chunks, byte for byte."""
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if done else [])
    return Behaviour(raw="".join(lines).encode())


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    return {"model": "phi-4", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def in_turn(*ways: Behaviour) -> Callable[[int], Behaviour]:
    """Each request in its own way; all others as the last one."""
    return lambda number: ways[min(number, len(ways) - 1)]
