"""Many at a time, or one alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Gate:
    """Lets threads work side by side, and one of them alone when it asks for that: it goes before those that wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wanting = 0
        self._closed = False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Work beside others; waits while somebody works alone or wants to."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed and not self._wanting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Work while nobody else does; not from within :meth:`together`."""
        with self._changed:
            self._wanting += 1
            try:
                self._changed.wait_for(lambda: not self._closed and not self._inside)
                self._closed = True
            finally:
                self._wanting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
