"""Iterators that any thread can close, also while another thread waits for the next item."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Closed(Exception):  # noqa: N818 (an order, never seen outside of this module)
    """Raised by :meth:`Closing.check`, caught by :class:`Closable`."""


class Closing:
    """A signal to the code that makes the items that it must stop; code that it waits for may receive it too."""

    def __init__(self) -> None:
        self.asked = False
        self._wake: Callable[[], None] | None = None

    def check(self) -> None:
        """Leave the code that makes the items when closing was asked for; the iteration then simply ends."""
        if self.asked:
            raise _Closed

    @contextlib.contextmanager
    def woken_by(self, wake: Callable[[], None]) -> Iterator[None]:
        """Within the context, ``wake`` is called when closing is asked for, at once when it already was.

        It is called in the thread that closes, and must make what blocks the other thread return.
        """
        before, self._wake = self._wake, wake
        if self.asked:
            wake()
        try:
            yield
        finally:
            self._wake = before

    def ask(self) -> None:
        """Ask for the end."""
        self.asked = True
        wake = self._wake
        if wake is not None:
            wake()


class Closable(Generic[T]):
    """An iterator over what a generator makes; any thread may close it, at any time, as often as it likes.

    After :meth:`close` no more items come: an iteration that waits in another thread ends soon, as that of a
    closed generator does. The generator's ``finally`` blocks run in the thread that is inside it, else in the one
    that closes.

    Args:
        items: makes the generator. It gets a :class:`Closing`, which it checks where it waits.
    """

    def __init__(self, items: Callable[[Closing], Generator[T, None, None]]) -> None:
        self._closing = Closing()
        self._items = items(self._closing)
        self._inside = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._inside:
            try:
                self._closing.check()
                item = next(self._items)
            except _Closed:
                raise StopIteration from None
        if self._closing.asked:  # while we were inside: then the closing thread left the end to us
            self._end()
            raise StopIteration
        return item

    def close(self) -> None:
        """Stop; returns at once, and what waits in another thread ends soon."""
        self._closing.ask()
        self._end()

    def _end(self) -> None:
        if self._inside.acquire(blocking=False):
            try:
                self._items.close()
            finally:
                self._inside.release()
