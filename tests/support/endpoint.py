"""An OpenAI-compatible endpoint on 127.0.0.1 that answers well, or badly in the ways that endpoints have."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered.

    ``pieces`` of text are streamed, ``pause_s`` apart. ``hangs_after`` and ``cut_after`` are numbers of pieces after
    which nothing more comes, with the connection open or closed. ``refuses`` are fields of a request that get a 400.
    ``raw`` is sent in place of the stream. ``usage`` is what it says of tokens, ``told`` whether it says anything.
    """

    status: int = 200
    body: bytes = b'{"error": {"message": "so it is"}}'
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[str, ...] = ("one", " two", " three", " four")
    pause_s: float = 0.0
    usage: Any = None
    told: bool = True
    finish: str | None = "length"
    done: bool = True
    hangs_after: int | None = None
    cut_after: int | None = None
    refuses: tuple[str, ...] = ()
    names_refused: bool = True
    raw: bytes | None = None
    field: str = "content"


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Endpoint:
    """Use it as a context manager. ``behave`` says how the answer number n (from 0) to a chat request goes.

    It is called in the thread that answers the request, which is :attr:`current` there, and may wait for other
    requests.
    """

    def __init__(self, behave: Callable[[int], Behaviour] | None = None) -> None:
        self.behave = behave or (lambda _: Behaviour())
        self.models: Any = {"object": "list", "data": [{"id": "first-model"}, {"id": "second-model"}]}
        self.listing = Behaviour()
        """How the list of models is answered; its status and body count where they are not the usual ones."""
        self.behind_proxy = False
        """Requests have whole addresses in place of paths, as proxies get them."""
        self.key: str | None = None
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.closing = threading.Event()
        self._at_once = 0
        self._number = 0
        self._lock = threading.Lock()
        self._current = threading.local()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What ``--url`` takes."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[Asked]:
        """The requests for answers."""
        return [one for one in self.asked if one.method == "POST"]

    @property
    def current(self) -> Asked:
        """The request that this thread answers; others may have come since."""
        asked: Asked = self._current.asked
        return asked

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def record(self, asked: Asked) -> None:
        """A request has come, which this thread answers."""
        self._current.asked = asked
        self.asked.append(asked)

    def next_behaviour(self) -> Behaviour:
        """How the next chat request is answered."""
        with self._lock:
            number = self._number
            self._number += 1
        return self.behave(number)

    def count(self, step: int) -> None:
        """One request more or less is under way."""
        with self._lock:
            self._at_once += step
            self.most_at_once = max(self.most_at_once, self._at_once)


def encrypted(endpoint: Endpoint, context: ssl.SSLContext) -> Endpoint:
    """The same endpoint with https; it has not been entered yet."""
    endpoint._server.socket = context.wrap_socket(endpoint._server.socket, server_side=True)
    return endpoint


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, and answer in a thread."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that is done with."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End the connections too that clients keep: their threads would outlive the test."""
        super().server_close()
        for connection in [*self._open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up: that is their right."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "loopback-endpoint"
    disable_nagle_algorithm = True  # as the servers that people use have it: otherwise pieces come together
    sys_version = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing on standard error."""

    def do_GET(self) -> None:
        """The list of models; everything else is fine too."""
        endpoint = self.server.endpoint
        self._record(None)
        if self._refused():
            return
        if self.path.partition("?")[0] == "/v1/models" and endpoint.listing == Behaviour():
            self._reply(200, json.dumps(endpoint.models).encode())
        elif self.path.startswith(("/v1/models", "/health", "/props")):
            self._reply(endpoint.listing.status, endpoint.listing.body, endpoint.listing.headers)
        else:
            self._reply(404, b'{"error": {"message": "no such page"}}')

    def do_POST(self) -> None:
        """An answer, as the endpoint is told to behave."""
        endpoint = self.server.endpoint
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._record(body)
        if self._refused():
            return
        path = urlsplit(self.path).path if endpoint.behind_proxy else self.path.partition("?")[0]
        if path != "/v1/chat/completions":
            self._reply(404, b'{"error": {"message": "no such page"}}')
            return
        endpoint.count(1)
        self._chat(endpoint.next_behaviour(), body)

    def _chat(self, how: Behaviour, body: Mapping[str, Any]) -> None:
        if how.status != 200 or how.raw is not None:
            self.server.endpoint.count(-1)
        refused = [name for name in how.refuses if name in body]
        if refused:
            said = f"Unsupported parameter: {refused[0]}" if how.names_refused else "bad request"
            self._reply(400, json.dumps({"error": {"message": said}}).encode())
        elif how.status != 200:
            self._reply(how.status, how.body, how.headers)
        else:
            self._stream(how)

    def _stream(self, how: Behaviour) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": "text/event-stream", "Connection": "close", **how.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        if how.raw is not None:
            self.wfile.write(how.raw)
            return
        events = list(_events(how))
        for number, event in enumerate(events):
            if number == how.hangs_after:
                self.wfile.flush()
                self.server.endpoint.closing.wait(60)
                return
            if number == how.cut_after:
                return
            if event == events[-1]:
                self.server.endpoint.count(-1)  # when the client has it, the next request may already come
            self.wfile.write(event)
            self.wfile.flush()
            time.sleep(how.pause_s)

    def _record(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.endpoint.record(Asked(self.command, self.path, headers, body))

    def _refused(self) -> bool:
        key = self.server.endpoint.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return False
        said = f"Incorrect API key provided: {self.headers.get('Authorization', 'none')}"
        self._reply(401, json.dumps({"error": {"message": said}}).encode())
        return True

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _events(how: Behaviour) -> Iterator[bytes]:
    """The server-sent events: one for each piece of text, then what ends the stream."""
    for text in how.pieces:
        yield _event({"choices": [{"index": 0, "delta": {how.field: text}, "finish_reason": None}]})
    if how.finish is not None:
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": how.finish}]})
    if how.told:
        yield _event({"choices": [], "usage": how.usage or {"prompt_tokens": 33, "completion_tokens": len(how.pieces)}})
    if how.done:
        yield b"data: [DONE]\n\n"


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
