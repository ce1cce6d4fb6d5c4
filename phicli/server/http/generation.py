"""Answers requests for text: reads one, has the answers made, and sends them whole or as a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.server.errors import RequestError
from phicli.server.http.answers import Answers
from phicli.server.http.bodies import read_object
from phicli.server.http.logged import note_of
from phicli.server.http.stream import Chunks, parts_of, send_stream
from phicli.server.http.traffic import Traffic
from phicli.server.models import Models


class Reply(Chunks, Protocol):
    """Writes the reply to a request."""

    def whole(self, answers: list[Answer]) -> Mapping[str, Any]:
        """The reply that is sent at once."""


class Wanted(Protocol):
    """A request that was read."""

    @property
    def asked(self) -> Asked:
        """What is asked of the model."""

    @property
    def stream(self) -> bool:
        """Whether the answer is wanted as a stream."""

    @property
    def usage_chunk(self) -> bool:
        """Whether the last chunk of a stream has the usage."""

    def reply(self) -> Reply:
        """What writes the reply."""


@dataclass(frozen=True, slots=True)
class Generation:
    """An endpoint for text, as an application.

    Attributes:
        models: that answer.
        traffic: where the answers are counted, with the limits.
        read: reads the body of a request.
        log_prompt: gets each prompt as a line; None: nobody gets them.
    """

    models: Models
    traffic: Traffic
    read: Callable[[Mapping[str, Any]], Wanted]
    log_prompt: Callable[[str], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            PhiError: it is refused, or cannot be answered; nothing was sent.
            ClientGone: nobody waits for the reply.
        """
        limits, note = self.traffic.limits, note_of(scope)
        body = await read_object(Request(scope, receive), limits)
        if isinstance(messages := body.get("messages"), list) and len(messages) > limits.messages:
            error = f"there are {len(messages)} messages, but the limit is {limits.messages}"
            raise RequestError(error, "send fewer messages", param="messages")
        wanted = self.read(body)
        note.model = wanted.asked.model
        if self.log_prompt is not None:
            self.log_prompt(f"prompt: {json.dumps(body.get('messages', body.get('prompt')))}")
        self.traffic.check()
        reply = wanted.reply()
        async with Answers(self.models, wanted.asked, self.traffic, note).begun(receive) as answers:
            if not wanted.stream:
                whole = JSONResponse(reply.whole(await answers.whole()))
                await whole(scope, receive, send)
                return
            await answers.opened(limits.hold_s)
            await send_stream(send, parts_of(answers, reply, usage=wanted.usage_chunk, beat_s=limits.beat_s))
