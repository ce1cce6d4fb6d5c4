"""From blocking iterators, which run in threads of their own, to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_MOST_WAITING: Final = 256
"""Items that wait for a client who does not read; then the thread that makes them waits too."""


class _End:
    """The last thing that a thread says; ``error`` is what it raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Bridge(Generic[T]):
    """The items that ``make`` yields in a thread of its own, as an asynchronous iterator.

    Args:
        make: called in the thread. It gets a function that registers what ends its wait: called, in the event loop's
            thread, when the reader has left.
    """

    def __init__(self, make: Callable[[Callable[[Callable[[], None]], None]], Iterator[T]]) -> None:
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[T | _End] = asyncio.Queue()
        self._room = threading.BoundedSemaphore(_MOST_WAITING)
        self._left = threading.Event()
        self._stops: list[Callable[[], None]] = []
        threading.Thread(target=self._run, daemon=True, name="phi-answer").start()

    async def items(self) -> AsyncIterator[T]:
        """The items; raises what the thread raised."""
        try:
            while not isinstance(item := await self._queue.get(), _End):
                self._room.release()
                yield item
            if item.error is not None:
                raise item.error
        finally:
            self.leave()

    def leave(self) -> None:
        """Stop the thread: nobody reads any more. Safe to call twice."""
        self._left.set()
        for stop in self._stops:
            stop()

    def _stops_by(self, stop: Callable[[], None]) -> None:
        self._stops.append(stop)
        if self._left.is_set():
            stop()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._make(self._stops_by):
                while not self._room.acquire(timeout=0.5):
                    if self._left.is_set():
                        return
                if self._left.is_set():
                    return
                self._say(item)
        except BaseException as raised:  # noqa: BLE001 (it is raised again where it is read)
            error = raised
        finally:
            self._say(_End(error))

    def _say(self, item: T | _End) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
