"""From blocking iterators, which run in their own threads, to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Final, Generic, TypeVar

from phicli.engine.closable import Closing

T = TypeVar("T")
Make = Callable[[Closing], Generator[T, None, None]]
"""Makes items in a thread; :class:`~phicli.engine.closable.Closing` says when it must
stop, and wakes what it waits for."""

_MOST_WAITING: Final = 256
"""Items that wait for a reader; then the threads that make them wait too."""


class Bridge(Generic[T]):
    """The items of several generators, each of which runs in a thread. To be used from one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._left = False
        self._running: set[Closing] = set()

    def add(self, make: Make[T]) -> None:
        """Run a generator, unless the reader has left. To be called at the start, or by one that runs."""
        closing = Closing()
        with self._changed:
            if self._left:
                return
            self._running.add(closing)
        threading.Thread(target=self._run, args=(make, closing), daemon=True, name="phi-answer").start()

    async def batch(self, patience_s: float) -> list[T] | None:
        """All items that wait, at least one; empty when none came within ``patience_s``; None at the end.

        Raises:
            BaseException: what a thread raised, or what was given to :meth:`fail`, after the items before it.
        """
        until = self._loop.time() + patience_s
        while True:
            with self._changed:
                ready = self._ready()
                if ready != [] or self._loop.time() >= until:
                    return ready
                waiter = self._waiter = self._loop.create_future()
            timer = self._loop.call_at(until, _finish, waiter)
            try:
                await waiter
            finally:
                timer.cancel()

    def fail(self, error: BaseException) -> None:
        """Stop the threads; the reader gets ``error`` where it has not got the end or another error."""
        with self._changed:
            self._error = self._error or error
            self._wake()
        self.leave()

    def leave(self) -> None:
        """Stop the threads: nobody reads. Returns at once; safe to call twice."""
        with self._changed:
            if self._left:
                return
            self._left = True
            self._changed.notify_all()
            running = list(self._running)
        if running:  # what wakes them may wait for the engine, and the event loop must not
            threading.Thread(target=_ask, args=(running,), daemon=True, name="phi-closing").start()

    def _ready(self) -> list[T] | None:
        """What :meth:`batch` returns now; empty where there is nothing yet."""
        if self._items:
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items
        if self._error is not None:
            raise self._error
        return [] if self._running else None

    def _run(self, make: Make[T], closing: Closing) -> None:
        error: BaseException | None = None
        try:
            with contextlib.closing(make(closing)) as items:
                for item in items:
                    if not self._put(item):
                        break
        except BaseException as raised:  # noqa: BLE001 (it is raised again where it is read)
            error = raised
        with self._changed:
            self._running.discard(closing)
            self._error = self._error or error
            self._wake()

    def _put(self, item: T) -> bool:
        """Whether somebody will read ``item``; waits where too many wait already."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or len(self._items) < _MOST_WAITING)
            if not self._left:
                self._items.append(item)
                self._wake()
            return not self._left

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(_finish, waiter)


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _ask(running: Sequence[Closing]) -> None:
    for closing in running:
        with contextlib.suppress(Exception):  # it is on its way to the end, whatever it says to that
            closing.ask()
