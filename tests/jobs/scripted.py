"""A worker that does as it is told, and numbers for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator


class Scripted:
    """A worker; ``script`` is called with each item and with what is set when the worker is stopped."""

    def __init__(self, script: Callable[[int, threading.Event], None], slots: int = 3, name: str = "a") -> None:
        self.name, self.slots, self._script = name, slots, script
        self.stopped = threading.Event()
        self.asked: list[int] = []

    def ask(self, item: int) -> int:
        self.asked.append(item)
        self._script(item, self.stopped)
        return 2 * item

    def drain(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped.set()


def numbered(count: int) -> Iterator[tuple[int, int]]:
    return ((number, number) for number in range(count))


def job_threads() -> list[threading.Thread]:
    """Those of jobs that run now."""
    return [thread for thread in threading.enumerate() if thread.name == "phi-job"]
