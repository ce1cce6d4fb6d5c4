"""The record of what a loopback hub was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from .faults import ServerName


@dataclass(slots=True)
class RecordedRequest:
    """One request, recorded as it arrives; ``status`` and ``sent`` (bytes of body) grow while it is answered."""

    server: ServerName
    method: str
    path: str
    headers: Mapping[str, str]
    """The request's headers, with names in lower case."""
    port: int
    at: float
    status: int | None = None
    sent: int = 0

    @property
    def host(self) -> str | None:
        """The host the client believed it was speaking to."""
        return self.headers.get("host")

    @property
    def range(self) -> str | None:
        """The Range header."""
        return self.headers.get("range")

    @property
    def authorization(self) -> str | None:
        """The Authorization header."""
        return self.headers.get("authorization")

    @property
    def route(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[-1] for name, values in asked.items()}

    def without(self, header: str) -> RecordedRequest:
        """Return the same request without one of its headers."""
        return replace(self, headers={name: value for name, value in self.headers.items() if name != header})


class RequestLog:
    """All requests so far, safe to read while more arrive."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[RecordedRequest] = []

    def append(self, request: RecordedRequest) -> None:
        """Record a request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[RecordedRequest]:
        with self._changed:
            return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def clear(self) -> None:
        """Forget what was asked so far."""
        with self._changed:
            self._requests.clear()

    def matching(
        self, path: str = "", *, method: str | None = None, server: ServerName | None = None
    ) -> list[RecordedRequest]:
        """Return the requests whose path contains ``path``, in the order they arrived."""
        return [
            request
            for request in self
            if path in request.path and method in {None, request.method} and server in {None, request.server}
        ]

    def wait_for(
        self,
        path: str = "",
        *,
        method: str | None = None,
        server: ServerName | None = None,
        sent: int = 0,
        timeout: float = 60.0,
    ) -> RecordedRequest:
        """Wait for a request, and until ``sent`` bytes of its answer have gone out."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            for request in self.matching(path, method=method, server=server):
                if request.sent >= sent:
                    return request
            with self._changed:
                self._changed.wait(0.01)
        raise TimeoutError(f"nobody asked for {path!r} within {timeout} s")

    def bytes_sent(self, path: str = "", *, server: ServerName | None = None) -> int:
        """How many bytes of bodies went out in answer to such requests."""
        return sum(request.sent for request in self.matching(path, server=server))
