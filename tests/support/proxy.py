"""Proxies on 127.0.0.1: one for HTTP (``CONNECT`` and whole addresses), and one that speaks SOCKS 5."""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import socketserver
import struct
import threading
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import urlsplit

_BLOCK = 1 << 16


class Proxy:
    """Use it as a context manager. ``reached`` lists ``host:port`` of every connection it made.

    ``instead`` says where a name that does not exist leads, as a company's own resolver would know. With ``refuses`` (a
    status line such as ``407 Proxy Authentication Required``) it lets nobody through.
    """

    scheme: ClassVar[str] = "http"

    def __init__(self, *, refuses: str = "", instead: str = "") -> None:
        self.reached: list[str] = []
        self.heads: list[str] = []
        self.refuses = refuses
        self.instead = instead
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """What ``HTTPS_PROXY`` takes."""
        return f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to where the client wants to go."""
        self.reached.append(f"{host}:{port}")
        name, _, other = self.instead.partition(":")
        place = (name, int(other)) if self.instead and host.endswith(".test") else (host, port)
        return socket.create_connection(place, timeout=10)

    def serve(self, client: socket.socket) -> None:
        """Answer one connection."""
        head = _head(client)
        self.heads.append(head.decode("latin-1"))
        if not head:
            return
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        if self.refuses:
            client.sendall(f"HTTP/1.1 {self.refuses}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return
        place = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with self.connect(place.hostname or "", place.port or 80) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            _both_ways(client, server)


class SocksProxy(Proxy):
    """SOCKS 5 without authentication."""

    scheme: ClassVar[str] = "socks5"

    def serve(self, client: socket.socket) -> None:
        """Answer one connection."""
        _, methods = _exactly(client, 2)
        _exactly(client, methods)
        client.sendall(b"\x05\x00")
        _, _, _, kind = _exactly(client, 4)
        if kind == 3:
            host = _exactly(client, _exactly(client, 1)[0]).decode()
        else:
            host = str(ipaddress.ip_address(_exactly(client, 4 if kind == 1 else 16)))
        (port,) = struct.unpack("!H", _exactly(client, 2))
        with self.connect(host, port) as server:
            client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            _both_ways(client, server)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Whoever hangs up may do so."""
        with contextlib.suppress(OSError):
            self.server.proxy.serve(self.request)


def _head(client: socket.socket) -> bytes:
    """The bytes up to the empty line behind the headers; clients of tests send no body."""
    head = b""
    while b"\r\n\r\n" not in head and (more := client.recv(_BLOCK)):
        head += more
    return head


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def _both_ways(client: socket.socket, server: socket.socket) -> None:
    """Pass bytes on until one side ends."""
    other = {client: server, server: client}
    with selectors.DefaultSelector() as selector:
        for one in other:
            selector.register(one, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data = source.recv(_BLOCK)
                if not data:
                    return
                other[source].sendall(data)
