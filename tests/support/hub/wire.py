"""The HTTP side of a loopback hub: listening, recording what was asked, and sending answers well or badly."""

from __future__ import annotations

import http.server
import os
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

from .content import Reply, Segment, text_reply
from .faults import Fault, Faults, ServerName
from .log import RecordedRequest, RequestLog
from .sending import BodyReader

_PORTAL = (
    "<!DOCTYPE html><html><head><title>Log in</title></head><body>Please log in to use this network.</body></html>"
)


class Services(Protocol):
    """What the servers of a hub share."""

    @property
    def faults(self) -> Faults:
        """The rules of misbehaviour."""

    @property
    def requests(self) -> RequestLog:
        """The record of what was asked."""

    @property
    def errors(self) -> list[BaseException]:
        """Errors of the hub itself, which are bugs in it."""


Route = Callable[[RecordedRequest], Reply]


class Listener(http.server.ThreadingHTTPServer):
    """A server on a free port of 127.0.0.1 that starts and stops at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, name: ServerName, services: Services, route: Route, encrypted: ssl.SSLContext | None = None
    ) -> None:
        self.name: ServerName = name
        self.services = services
        self.route = route
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._wake, self._woken = socket.socketpair()
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http" if encrypted is None else "https"
        if encrypted is not None:  # each connection greets in its own thread
            self.socket = encrypted.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._accept, name=f"loopback-{name}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to reach it at, without a slash at the end."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without the name lookup the base class makes, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while all(key.fileobj is not self._woken for key, _ in selector.select()):
                with suppress(OSError):
                    connection, address = self.get_request()
                    with self._lock:
                        self._connections.add(connection)
                    self.process_request(connection, address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection that is done with."""
        if isinstance(request, socket.socket):
            with self._lock:
                self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep errors of our own; clients that hang up are none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.services.errors.append(error)

    def close(self) -> None:
        """Stop listening and end every connection, also stalled ones; again is no mistake."""
        if not self._thread.is_alive():
            return
        self._wake.send(b"x")
        self._thread.join()
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._wake.close()
        self._woken.close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "loopback-hub"
    disable_nagle_algorithm = True
    server: Listener
    connection: socket.socket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing on standard error."""

    def handle(self) -> None:
        """Answer until the client leaves, which it may do at any moment."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer any request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server, services = self.server, self.server.services
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = RecordedRequest(server.name, self.command, self.path, headers, server.server_port, time.monotonic())
        services.requests.append(request)
        fault = services.faults.take(server.name, self.command, self.path)
        if fault.delay and self._hung_up(fault.delay):
            return
        if fault.empty:
            self._drop(reset=fault.reset)
            return
        asked = request.without("range") if fault.ignore_range else request
        reply = self._faulty_reply(fault) or server.route(asked)
        self._send(reply, fault, request)

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _faulty_reply(self, fault: Fault) -> Reply | None:
        if fault.status is not None:
            wait = {} if fault.retry_after is None else {"Retry_After": str(fault.retry_after)}
            if fault.status == 429 and fault.retry_after is not None:
                wait |= {"RateLimit": f'"resolvers";r=0;t={fault.retry_after}'}
            return text_reply(fault.status, f'{{"error":"Fault {fault.status}"}}', "application/json", **wait)
        if fault.html:
            return text_reply(200, _PORTAL, "text/html; charset=utf-8")
        if fault.body is not None:
            return Reply(200, {"Content-Type": "application/json"}, [Segment(fault.body, 0, len(fault.body))])
        if fault.redirect_loop:
            return Reply(302, {"Location": f"{self.server.url}{urlsplit(self.path).path}"})
        return None

    def _send(self, reply: Reply, fault: Fault, request: RecordedRequest) -> None:
        headers = {"Content-Length": str(max(0, reply.length + fault.length_delta)), **reply.headers, **fault.headers}
        closing = fault.length_delta != 0 or fault.cut_after is not None
        request.status = reply.status
        self.send_response(reply.status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self._send_body(reply, fault, request)
        if fault.stall_after is not None and fault.stall_after < reply.length:
            self._hung_up(None)
        elif closing:
            self._drop(reset=fault.reset)

    def _send_body(self, reply: Reply, fault: Fault, request: RecordedRequest) -> None:
        action = fault.action
        started = time.monotonic()
        with BodyReader(reply, fault) as pieces:
            for piece in pieces:
                if action is not None and request.sent >= fault.action_after:
                    action()
                    action = None
                piece.send(self.connection)
                request.sent += piece.length
                if fault.bytes_per_second:
                    ahead = request.sent / fault.bytes_per_second - (time.monotonic() - started)
                    if ahead > 0 and self._hung_up(ahead):
                        return
        if action is not None:
            action()

    def _hung_up(self, seconds: float | None) -> bool:
        """Wait (None: for good), and say whether the client or the server ended the connection meanwhile."""
        until = None if seconds is None else time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            while selector.select(None if until is None else max(0.0, until - time.monotonic())):
                if not self.connection.recv(1, socket.MSG_PEEK):
                    self.close_connection = True
                    return True
                # A further request is waiting: it gets its turn, and the pause goes on without listening.
                if until is not None:
                    time.sleep(max(0.0, until - time.monotonic()))
                    return False
                self.connection.recv(65536)
        return False

    def _drop(self, *, reset: bool) -> None:
        if reset:
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            )
            # The base class would send an orderly end of file first, and so hide the reset.
            self.connection.close()
        self.close_connection = True
