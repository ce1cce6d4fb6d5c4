"""Counts what the server is used for, so that it can end when nobody uses it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

LOOKS: Final = frozenset({"/phi/state", "/health", "/metrics"})
"""Requests that only look at the server: they do not keep it alive."""


class Uses:
    """The uses of the server, now and in the past. Use it from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._last = time.monotonic()

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Within the context, the server is in use."""
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._last = time.monotonic()

    @property
    def running(self) -> int:
        """How many uses there are now."""
        return self._running

    @property
    def idle_s(self) -> float:
        """Seconds since the end of the last use, or since the start; 0 while there is one."""
        with self._lock:
            return 0.0 if self._running else time.monotonic() - self._last


class CountUses:
    """An application around ``app`` that counts its requests in ``uses``."""

    def __init__(self, app: ASGIApp, uses: Uses) -> None:
        self._app = app
        self._uses = uses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        counts = scope["type"] == "http" and scope["path"] not in LOOKS
        with self._uses.use() if counts else contextlib.nullcontext():
            await self._app(scope, receive, send)
