"""Who has which model, and who waits for one: only bookkeeping, nothing here takes time or reads a file."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Final

from phicli.engine.closable import Closing
from phicli.errors import PhiError
from phicli.plan.locate import LocatedModel
from phicli.server.loading import Loaded
from phicli.server.served import Served, Waiter, key_of
from phicli.server.types import BusyError

_TURN_S: Final = 15.0
"""A model that was loaded answers those who wait for it for so long before it makes way for another."""
_USUAL_ANSWER_S: Final = 5.0
_SIGNAL_S: Final = 1.0
"""A signal that comes just before the main thread begins to wait does not end the wait: Python sees it after that."""
_LONGEST_RETRY_S: Final = 120


class Table:
    """The models that are loading or loaded, and the requests that wait. Use it from any thread.

    Args:
        begin: called with a model that was asked for and is not there; it must return at once, and have
            :meth:`ready` or :meth:`failed` called later.
    """

    def __init__(self, begin: Callable[[Served], None]) -> None:
        self._begin = begin
        self.changed = threading.Condition()
        self._served: dict[str, Served] = {}
        self._waiting: defaultdict[str, deque[Waiter]] = defaultdict(deque)
        self._made_room: set[str] = set()
        self._closed = False
        self._answer_s = _USUAL_ANSWER_S
        self.ticket = 0
        """The number of the latest lease."""
        self.changes = 0
        """How often anything has changed."""

    def take(self, located: LocatedModel, closing: Closing | None, *, lent: bool) -> tuple[Served, Loaded, int]:
        """Wait for a model with a free slot, which ``lent`` does not need; returns it, and the number of the lease.

        Raises:
            BusyError: the model waited too long for memory.
            PhiError: it cannot be loaded.
        """
        key, waiter = key_of(located), Waiter(lent=lent)
        woken = closing.woken_by(self.wake) if closing is not None else contextlib.nullcontext()
        with woken, self.changed:
            self._waiting[key].append(waiter)
            try:
                while (granted := self._granted(key, located, waiter)) is None:
                    if closing is not None:
                        closing.check()
                    self.changed.wait(_SIGNAL_S)
                return granted
            finally:
                self._waiting[key].remove(waiter)
                if not self._waiting[key]:
                    del self._waiting[key]
                self._notify()

    def give_back(self, served: Served, ticket: int, seconds: float) -> int:
        """End the lease with that number, which took so many seconds; returns the least number of those that last."""
        with self.changed:
            if ticket in served.leases:
                self._answer_s += (seconds - self._answer_s) / 8
            served.leases.discard(ticket)
            served.loans.discard(ticket)
            if not served.is_used:
                self._idle_from_now(served)
            self._notify()
            return self._oldest(served)

    def ready(self, served: Served, loaded: Loaded) -> bool:
        """``served`` is loaded; False where nobody may have it, since the table was closed."""
        with self.changed:
            if self._closed:
                return False
            served.loaded, served.ready_at = loaded, time.monotonic()
            self._idle_from_now(served)
            self._notify()
            return True

    def failed(self, served: Served, error: PhiError) -> None:
        """``served`` cannot be loaded: all that wait for it raise ``error``; who asks later starts it again."""
        with self.changed:
            if self._served.get(served.key) is served:
                del self._served[served.key]
                for waiter in self._waiting.get(served.key, ()):
                    waiter.error = error
            self._notify()

    def is_wanted(self, served: Served) -> bool:
        """Whether anybody waits for it."""
        with self.changed:
            return not self._closed and bool(self._waiting.get(served.key))

    def pick(self, which: Callable[[Served], bool], *, most: int | None = None, used: bool = False) -> list[Served]:
        """Idle models that ``which`` names, the least recently used first; nobody gets them from now on.

        With ``used`` also loaded models that are not idle.
        """
        with self.changed:
            usable = filter(lambda served: self._is_idle(served) or (used and served.loaded), self._served.values())
            idle = sorted(usable, key=lambda served: served.idle_since or 0.0)
            picked = [served for served in idle if which(served)][:most]
            for served in picked:
                del self._served[served.key]
            return picked

    def make_room(self) -> list[Served]:
        """The idle model that was used least recently, as :meth:`pick`.

        Who asks for it again waits until the model that it makes room for is placed (:meth:`nobody_makes_way`).
        """
        with self.changed:
            picked = self.pick(lambda _: True, most=1)
            self._made_room.update(served.key for served in picked)
            return picked

    def make_way(self, *, but: Served) -> None:
        """Have the model that was ready first of those that had their turn get no more leases.

        A model that is lent stays: it cannot be known for how long.
        """
        with self.changed:
            others = [served for served in self._served.values() if served is not but]
            if not any(served.makes_way for served in others):
                usable = [one for one in others if one.loaded and not one.loans and self._had_its_turn(one)]
                for served in sorted(usable, key=lambda one: one.ready_at)[:1]:
                    served.makes_way = True

    def nobody_makes_way(self) -> None:
        """All models get leases again, and those that made room can be loaded."""
        with self.changed:
            self._made_room.clear()
            for served in self._served.values():
                served.makes_way = False
            self._notify()

    def oldest(self, served: Served) -> int:
        """The least number of the leases of ``served`` that have not ended."""
        with self.changed:
            return self._oldest(served)

    def find(self, located: LocatedModel) -> Served | None:
        """The model with that file, if it is loading or loaded."""
        key = key_of(located)
        with self.changed:
            return self._served.get(key)

    def all(self) -> Iterator[tuple[Served, int]]:
        """All models that are loading or loaded, and how many requests wait for each."""
        with self.changed:
            rows = [(served, len(self._waiting.get(served.key, ()))) for served in self._served.values()]
        return iter(rows)

    def wake(self) -> None:
        """Have all that wait look again: memory is free, or one of them has to go."""
        with self.changed:
            self._notify()

    def wait(self, timeout_s: float | None, seen: int) -> bool:
        """Wait until there are other :attr:`changes` than were ``seen``; False where the table was closed."""
        with self.changed:
            self.changed.wait_for(lambda: self._closed or self.changes != seen, timeout_s)
            return not self._closed

    def busy(self, message: str, key: str | None = None) -> BusyError:
        """The error for a request that does not get a model; it says when to ask again."""
        with self.changed:
            served = self._served.get(key or "")
            slots = served.loaded.slots if served and served.loaded else 1
            waiting = len(self._waiting.get(key or "", ()))
            seconds = min(max(int(self._answer_s * (waiting + 1) / slots), 1), _LONGEST_RETRY_S)
        return BusyError(message, retry_after_s=seconds)

    def close(self) -> list[Served]:
        """End everything; who waits, and who asks later, gets an error. Returns what is loading or loaded."""
        with self.changed:
            self._closed = True
            left = list(self._served.values())
            self._served.clear()
            self._notify()
            return left

    def _granted(self, key: str, located: LocatedModel, waiter: Waiter) -> tuple[Served, Loaded, int] | None:
        if self._closed:
            raise BusyError("the server is stopping", retry_after_s=_LONGEST_RETRY_S)
        if waiter.error is not None:
            raise waiter.error
        served = self._served.get(key)
        if served is None and key in self._made_room:
            return None
        if served is None:
            served = self._served[key] = Served(located, key)
            self._begin(served)
        loaded = served.loaded
        if loaded is None or served.makes_way:
            return None
        if not waiter.lent and (len(served.leases) == loaded.slots or not self._is_next(key, waiter)):
            return None
        self.ticket += 1
        (served.loans if waiter.lent else served.leases).add(self.ticket)
        served.has_answered = served.has_answered or not waiter.lent
        served.idle_since = served.idle_at = None
        return served, loaded, self.ticket

    def _is_next(self, key: str, waiter: Waiter) -> bool:
        """Whether nobody who wants a slot waits longer."""
        return next(one for one in self._waiting[key] if not one.lent) is waiter

    def _is_idle(self, served: Served) -> bool:
        waited_for = bool(self._waiting.get(served.key)) and not served.makes_way
        return bool(served.loaded) and not served.is_used and not waited_for

    def _had_its_turn(self, served: Served) -> bool:
        waited_for = bool(self._waiting.get(served.key))
        return served.has_answered and (not waited_for or time.monotonic() - served.ready_at > _TURN_S)

    def _idle_from_now(self, served: Served) -> None:
        served.idle_since, served.idle_at = time.monotonic(), time.time()

    def _oldest(self, served: Served) -> int:
        return min(served.leases, default=self.ticket + 1)

    def _notify(self) -> None:
        self.changes += 1
        self.changed.notify_all()
