"""uvicorn's HTTP protocol, with limits for clients that are slow, that do not read, and that do not speak HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from phicli.server.http.limits import Limits
from phicli.server.openai.errors import error_object

_UNREADABLE: Final = error_object(
    "the request is not HTTP, or its headers are too large", status=400, code="invalid_http"
)


def protocol_with(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol, for uvicorn's configuration."""

    class Protocol(PatientProtocol):
        patience = limits

    return Protocol


class PatientProtocol(H11Protocol):
    """A connection that is closed when its client takes too long, whichever side has to move.

    While a request is answered no clock runs here, except for a client that does not read.
    """

    patience = Limits()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._clock: asyncio.TimerHandle | None = None
        self._write_clock: asyncio.TimerHandle | None = None
        self._head_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections:
            transport.abort()
            return
        self._wait(self.patience.head_s)

    def data_received(self, data: bytes) -> None:
        """Read on; the headers of a request have a limited time from their first byte."""
        drains = self.conn.their_state is h11.SEND_BODY  # the rest of a body that nobody reads: it has its own limit
        if not self._answers and not self._head_begun and not drains:
            self._head_begun = True
            self._wait(self.patience.head_s)
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # a client that breaks the protocol while it is answered
            self.transport.abort()
        if self._answers:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that nobody reads."""
        reads_on = self.conn.their_state is h11.SEND_BODY
        self._head_begun = False
        self._wait(self.patience.linger_s if reads_on else self.patience.idle_s)
        super().on_response_complete()
        if self._answers:  # the next request was here already
            self._stop_waiting()

    def pause_writing(self) -> None:
        """Wait for a client that does not read."""
        super().pause_writing()
        if self._write_clock is None:
            self._write_clock = self.loop.call_later(self.patience.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._stop_write_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._stop_write_clock()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the signature is uvicorn's)
        """Say that this is not HTTP; where an answer is under way, only close the connection."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE) or self._answers:
            self.transport.abort()
            return
        body = json.dumps(_UNREADABLE).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def _answers(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._clock = self.loop.call_later(seconds, self._close)

    def _stop_waiting(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _stop_write_clock(self) -> None:
        if self._write_clock is not None:
            self._write_clock.cancel()
            self._write_clock = None

    def _close(self) -> None:
        if not self._answers:
            self.transport.abort()
