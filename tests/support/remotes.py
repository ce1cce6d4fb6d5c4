"""Models of remotes, opened for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from phicli.answering.types import NO_ENDING, Answer, Ending, Event, Model, Notice
from phicli.chat_format.types import Message, Piece
from phicli.engine.types import Sampling
from phicli.remotes.model import RemoteModel
from phicli.remotes.opening import open_remote
from phicli.remotes.retrying import Retrying
from phicli.remotes.types import KindName, Remote, RemoteModelName

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
