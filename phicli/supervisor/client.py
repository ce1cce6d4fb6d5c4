"""Asks the server of this user, over its socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from phicli.errors import PhiError


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, target: str, body: Any = None, *, timeout_s: float = 30.0) -> Any:
    """The JSON that the server at the socket ``path`` replies.

    Raises:
        OSError: no server listens there.
        PhiError: it refused; its own words.
    """
    connection = UnixConnection(path, timeout_s)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, target, data, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        content = json.loads(reply.read() or b"null")
    finally:
        connection.close()
    if reply.status >= 400:
        raise PhiError(str(content.get("error", {}).get("message", content)))
    return content
