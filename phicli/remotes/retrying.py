"""When a request is sent again, and how long phi waits before it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from phicli.engine.closable import Closing
from phicli.engine.endpoint.failures import EndpointError

_SOON: Final = frozenset({502, 503, 504, 529})
"""Statuses of what is loading or overloaded; 529 is Anthropic's and vLLM's routers'."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """Waits that grow: each is twice the one before it.

    Attributes:
        busy: so many further attempts where the endpoint is there and asks for patience.
        unreachable: so many where it cannot be reached, or closed the connection before it answered.
        first_s: the first wait, in seconds.
        longest_s: no wait is longer, whatever the endpoint asks for.
    """

    busy: int = 6
    unreachable: int = 2
    first_s: float = 1.0
    longest_s: float = 60.0

    def wait_s(self, error: EndpointError, attempt: int) -> float | None:
        """How long to wait after ``attempt`` attempts have failed, the last one with ``error``; None to give up."""
        attempts = self._attempts(error)
        if attempt > attempts:
            return None
        grown = self.first_s * 2 ** (attempt - 1)
        return min(self.longest_s, grown if error.wait_s is None else max(error.wait_s, self.first_s))

    def _attempts(self, error: EndpointError) -> int:
        if error.answer_began:
            return 0
        if error.kind == "limited" or error.status in _SOON:
            return self.busy
        return self.unreachable if error.kind in ("unreachable", "cut") else 0


class Waits:
    """The waits of requests that are to be sent again; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[threading.Event] = set()
        self._ended = False

    def end(self) -> None:
        """End all waits, and every later one at once: nothing is sent again. From any thread, also twice."""
        with self._lock:
            self._ended = True
            for over in self._under_way:
                over.set()

    def wait(self, seconds: float, closing: Closing) -> bool:
        """Wait; whether the request is to be sent again. ``closing`` ends the wait, and what called this."""
        over = threading.Event()
        with self._lock:
            if self._ended:
                return False
            self._under_way.add(over)
        with closing.woken_by(over.set):
            over.wait(seconds)
        with self._lock:
            self._under_way.discard(over)
        closing.check()
        return not self._ended
