"""Asks an OpenAI-compatible endpoint: which models it has, and for a streamed answer."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from phicli.engine.closable import Closing
from phicli.engine.endpoint.address import EXAMPLE, Address
from phicli.engine.endpoint.connection import Connection
from phicli.engine.endpoint.deltas import Delta, End
from phicli.engine.endpoint.events import Reader, as_stream
from phicli.engine.endpoint.failures import (
    EndpointError,
    clean,
    ends_in_v1,
    of_exception,
    of_status,
    said_in,
    silent,
)
from phicli.errors import UsageError
from phicli.network.certificates import use_certificates
from phicli.network.proxies import use_proxies

if TYPE_CHECKING:
    from ssl import SSLContext

    from httpx2 import Response, Timeout

_CONNECT_S: Final = 15.0
_MOST_BYTES: Final = 1 << 22
_MOST_WHOLE: Final = 1 << 24
_MOST_SAID: Final = 1 << 16


class EndpointClient:
    """One endpoint; threads may share it. Connections are kept between requests, as other clients keep them.

    Proxies come from the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), but not for an
    address on this machine. Redirects are not followed: the key is for this endpoint alone.

    Args:
        address: where it is.
        connections: how many of them are kept between requests.
        agent: what it calls itself.
        measures: what would falsify measurements is an error (compressed replies) or left out (to wait for the end of a
            stream whose last event has come, so that its connection can be used again).

    Raises:
        UsageError: the address, or a proxy of the environment, makes no sense.
        NetworkError: a variable names certificates that cannot be used.
    """

    def __init__(
        self, address: Address, *, connections: int = 1, agent: str = "phi-bench", measures: bool = True
    ) -> None:
        import httpx2

        self.address = address
        self.server = ""
        """What the endpoint calls itself in its answers; empty until the first."""
        self._headers = {"Accept-Encoding": "identity", "User-Agent": agent}
        if address.authorization is not None:
            self._headers["Authorization"] = address.authorization
        try:
            httpx2.URL(address.base)
        except httpx2.InvalidURL as error:
            raise UsageError(f"{address.shown} is not the address of an endpoint", EXAMPLE) from error
        if not address.is_loopback:
            use_proxies()
        self._verify = _authorities(address)
        self._most_idle, self._measures = connections, measures
        self._lock = threading.Lock()
        self._idle: list[Connection] = [self._connection()]  # so that a proxy that makes no sense is found here
        self._busy: set[Connection] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all requests, whichever threads wait for them; safe to call twice."""
        with self._lock:
            self._closed = True
            idle, busy = self._idle, list(self._busy)
            self._idle = []
        for connection in busy:  # their own threads close them
            connection.cut()
        for connection in idle:
            connection.close()

    def models(self, *, silence_s: float) -> tuple[str, ...]:
        """The names of the models that it lists, in its order.

        Raises:
            EndpointError: it cannot be reached, refuses, or sends no list.
        """
        return tuple(entry["id"] for entry in self.listed(silence_s=silence_s))

    def listed(self, *, silence_s: float, closing: Closing | None = None) -> tuple[Mapping[str, Any], ...]:
        """The entries of the models that it lists, in its order; each has an ``id`` to print, without our key.

        Raises:
            EndpointError: it cannot be reached, refuses, or sends no list.
        """
        with self._answer("GET", "/models", None, silence_s, closing or Closing()) as (response, _):
            body = _most(response, _MOST_BYTES)
        try:
            return tuple(
                entry
                for entry in json.loads(body)["data"]
                if isinstance(name := entry["id"], str) and name and name.isprintable()
                if not self.address.gives_away(name)
            )
        except (ValueError, LookupError, TypeError, RecursionError):
            url, said = self.address.shown, f": {text}" if (text := said_in(self.address, body)) else ""
            hint = f"check the address{ends_in_v1(self.address)}; or name the model behind it"
            raise EndpointError("garbage", f"{url}/models did not return a list of models{said}", hint) from None

    def chat(
        self,
        body: Mapping[str, Any],
        *,
        silence_s: float,
        total_s: float = math.inf,
        textless_s: float = math.inf,
        closing: Closing | None = None,
    ) -> Generator[Delta | End, None, None]:
        """Stream the answer to ``body``, a request for ``/chat/completions``; the last event is ``End``.

        Times are those of :func:`time.perf_counter`. Closing the iterator closes the connection.

        Args:
            body: the request; that it streams is added.
            silence_s: after so many seconds without a byte it counts as dead.
            total_s: after so many seconds it has taken too long.
            textless_s: after so many seconds in which nothing came but signs of life, it counts as dead, too.
            closing: cuts the connection.

        Raises:
            EndpointError: it failed.
        """
        began = time.monotonic()
        reader, request = Reader(self.address), {**body, "stream": True}
        answer = self._answer("POST", "/chat/completions", request, silence_s, closing or Closing())
        with answer as (response, connection):
            pieces = response.iter_bytes()
            if not self._measures and _is_json(response):
                pieces = iter((as_stream(_most(response, _MOST_WHOLE)),))
            yield from self._deltas(reader, pieces, began, total_s, textless_s)
            yield from reader.last(time.perf_counter())
            yield reader.close()
            if reader.ended and not self._measures:
                connection.read_out(pieces)

    def _deltas(
        self, reader: Reader, pieces: Iterator[bytes], began: float, total_s: float, textless_s: float
    ) -> Generator[Delta, None, None]:
        """What comes in ``pieces`` up to the last event.

        Raises:
            EndpointError: it is not a stream, or too slow.
        """
        came = time.monotonic()
        for data in pieces:
            for delta in reader.read(data, time.perf_counter()):
                came = time.monotonic()
                yield delta
            if reader.ended:
                return
            now, shown, hint = time.monotonic(), self.address.shown, silent(self.address, total_s).hint
            if now - began > total_s:
                raise EndpointError("slow", f"{shown} did not finish within {total_s:.0f} s", hint)
            if now - came > textless_s:
                raise EndpointError("silent", f"{shown} sent signs of life for {textless_s:.0f} s, but no text", hint)

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None, silence_s: float, closing: Closing
    ) -> Iterator[tuple[Response, Connection]]:
        """An answer of status 200, and what it comes through."""
        import httpx2

        connection, is_whole = self._taken(), False
        try:
            with closing.woken_by(connection.cut):
                response = self._sent(connection, method, self.address.url(path), body, _timeout(silence_s))
                try:
                    self._check(response)
                    yield response, connection
                    is_whole = True
                finally:
                    response.close()
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            closing.check()
            raise of_exception(self.address, error, silence_s) from error
        except EndpointError:
            closing.check()  # what was cut ends in the middle
            raise
        finally:
            self._give_back(connection, keeps=is_whole and not (connection.is_cut or closing.asked))

    def _sent(
        self, connection: Connection, method: str, url: str, body: Mapping[str, Any] | None, timeout: Timeout
    ) -> Response:
        """The answer, as far as its headers; sent again where the endpoint had closed the connection meanwhile."""
        import httpx2

        try:
            return connection.send(method, url, body, timeout)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            if connection.is_fresh or connection.is_cut:
                raise
        return connection.send(method, url, body, timeout)

    def _check(self, response: Response) -> None:
        """Return if ``response`` has what was asked for.

        Raises:
            EndpointError: it is an error, or compressed.
        """
        self.server = clean(self.address, response.headers.get("server", ""))[:80]
        if response.status_code != 200:
            said = _most(response, _MOST_SAID)
            raise of_status(self.address, response.status_code, response.headers, said)
        if response.headers.get("content-encoding", "identity") != "identity" and self._measures:
            message = f"{self.address.shown} compresses its replies although phi asked for uncompressed ones"
            raise EndpointError("garbage", message, "measure without the proxy that compresses them")

    def _connection(self) -> Connection:
        return Connection(self.address, self._headers, self._verify)

    def _taken(self) -> Connection:
        """A connection that no other thread uses."""
        with self._lock:
            if self._closed:
                raise EndpointError(
                    "cut", f"the connection to {self.address.shown} was closed", "run the command again"
                )
            connection = self._idle.pop() if self._idle else self._connection()
            self._busy.add(connection)
            return connection

    def _give_back(self, connection: Connection, *, keeps: bool) -> None:
        """Keep ``connection`` for the next request, unless there are enough.

        One that was interrupted is not kept: the library may still count it as used, and would wait for it for ever.
        """
        with self._lock:
            self._busy.discard(connection)
            keeps = keeps and not self._closed and len(self._idle) < self._most_idle
            if keeps:
                self._idle.append(connection)
        if not keeps:
            connection.close()


def _authorities(address: Address) -> SSLContext:
    """Whom to trust: those that the environment names, else the system's; nobody where nothing is encrypted."""
    import ssl

    import httpx2

    if not address.encrypted:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    use_certificates()
    return httpx2.create_ssl_context()


def _timeout(silence_s: float) -> Timeout:
    import httpx2

    return httpx2.Timeout(silence_s, connect=min(_CONNECT_S, silence_s), pool=None)


def _is_json(response: Response) -> bool:
    """Whether a reply is in one piece: some servers do not stream whatever they are asked for."""
    return bool(response.headers.get("content-type", "").lower().startswith("application/json"))


def _most(response: Response, most: int) -> bytes:
    """The body, or its first ``most`` bytes."""
    found = b""
    for data in response.iter_bytes():
        found += data
        if len(found) >= most:
            break
    return found[:most]
