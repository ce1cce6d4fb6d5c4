"""Replies that come as server-sent events."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final, Protocol

from starlette.types import Send

from phicli.answering.types import Answer, Event
from phicli.errors import PhiError
from phicli.server.http.answers import Answers
from phicli.server.http.errors import body_of

_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
DONE: Final = b"data: [DONE]\n\n"
_LOADING: Final = b": loading\n\n"
_WORKING: Final = b": working\n\n"
_ESCAPED: Final = {code: f"\\u{code:04x}" for code in (0x7F, 0x85, 0x2028, 0x2029)}
"""What some readers of lines take for the end of one."""


class Chunks(Protocol):
    """Makes the chunks of a stream."""

    def chunks(self, index: int, event: Event) -> Iterator[Mapping[str, Any]]:
        """Those that ``event`` of the answer number ``index`` makes."""

    def usage_chunk(self, answers: list[Answer]) -> Mapping[str, Any]:
        """The last one, where the usage is wanted."""


def event_bytes(data: Mapping[str, Any]) -> bytes:
    """``data`` as one event."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return b"data: %b\n\n" % (text if text.isascii() else text.translate(_ESCAPED)).encode()


async def send_stream(send: Send, parts: AsyncIterator[bytes]) -> None:
    """Send ``parts`` as the body of a stream of events."""
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
    async with contextlib.aclosing(parts) as opened:  # type: ignore[type-var]
        async for part in opened:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def parts_of(answers: Answers, reply: Chunks, *, usage: bool, beat_s: float) -> AsyncIterator[bytes]:
    """The events of ``answers`` as chunks of ``reply``, comments while nothing happens, and an error as an event.

    Raises:
        ClientGone: nobody reads them.
    """
    complete: list[Answer] = []
    written = time.monotonic()
    try:
        async for events in answers.batches(beat_s):
            complete += [event for _, event in events if isinstance(event, Answer)]
            chunks = [event_bytes(chunk) for index, event in events for chunk in reply.chunks(index, event)]
            if chunks:
                yield b"".join(chunks)
            elif events and time.monotonic() - written < beat_s:  # such as the progress of a long prompt
                continue
            else:
                yield _LOADING if answers.loading else _WORKING
            written = time.monotonic()
        if usage:
            yield event_bytes(reply.usage_chunk(complete))
    except PhiError as error:
        answers.failed(error)
        yield event_bytes(body_of(error))
    yield DONE
