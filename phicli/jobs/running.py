"""Asks many questions, several at a time, of one worker or of several that share the work."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from phicli.errors import PhiError

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

_TICK_S: Final = 0.1


class WorkerGoneError(PhiError):
    """A worker cannot go on; the item that it was asked was not answered. ``error`` says why."""

    def __init__(self, error: PhiError) -> None:
        super().__init__(error.message, error.hint, data=error.data)
        self.error = error


class Worker(Protocol[Item_contra, Result_co]):
    """Answers items, several at a time."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def slots(self) -> int:
        """How many items it is asked at a time, each in a thread of its own."""

    def ask(self, item: Item_contra) -> Result_co:
        """The result of one item, failed ones included.

        Raises:
            WorkerGoneError: it cannot go on; the item is given to another worker.
            PhiError: nobody can go on.
        """

    def stop(self) -> None:
        """Make the calls of :meth:`ask` that are under way fail soon; safe to call twice."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Item, Result]):
    """One item that was answered, and by which worker."""

    number: int
    item: Item
    result: Result
    worker: str


class Interrupts(Protocol):
    """Says how a person interrupts a job."""

    def draining(self) -> None:
        """The first Ctrl-C came: nothing new is asked, and what is under way is awaited."""


class NoInterrupts:
    """The first Ctrl-C is not announced."""

    def draining(self) -> None:
        """See :class:`Interrupts`."""


def run(
    items: Iterable[tuple[int, Item]],
    workers: Sequence[Worker[Item, Result]],
    on_done: Callable[[Done[Item, Result]], None],
    *,
    on_gone: Callable[[str, PhiError], None] = lambda _name, _error: None,
    interrupts: Interrupts | None = None,
) -> None:
    """Ask every item once, and hand over each result as it comes, in this thread.

    Items are taken from ``items`` only when a worker is free. An item whose worker is gone is asked another one.
    After the first Ctrl-C nothing new is asked, the items under way are awaited, and then KeyboardInterrupt is raised;
    a second Ctrl-C stops these too.

    Args:
        items: numbers and items; the iterator is used in this thread.
        workers: who answers.
        on_done: gets every result; an exception that it raises ends the job.
        on_gone: is told of a worker that is left out, and why.
        interrupts: is told of the first Ctrl-C.

    Raises:
        PhiError: what a worker raised; or why the last worker is gone.
        KeyboardInterrupt: as above.
    """
    _Run(iter(items), workers, on_done, on_gone, interrupts or NoInterrupts()).run()


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[Item, Result]):
    """What became of one item: a result, or an exception."""

    worker: int
    number: int
    item: Item
    result: Result | None
    error: BaseException | None


class _Run(Generic[Item, Result]):
    """One call of :func:`run`."""

    def __init__(
        self, items: Iterator[tuple[int, Item]], workers: Sequence[Worker[Item, Result]],
        on_done: Callable[[Done[Item, Result]], None], on_gone: Callable[[str, PhiError], None],
        interrupts: Interrupts,
    ) -> None:  # fmt: skip
        self._items, self._workers = items, workers
        self._on_done, self._on_gone, self._interrupts = on_done, on_gone, interrupts
        self._asked: list[queue.SimpleQueue[tuple[int, Item] | None]] = [queue.SimpleQueue() for _ in workers]
        self._outcomes: queue.SimpleQueue[_Outcome[Item, Result]] = queue.SimpleQueue()
        self._again: deque[tuple[int, Item]] = deque()
        self._free = [worker.slots for worker in workers]
        self._gone: list[int] = []
        self._last: PhiError | None = None
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        try:
            self._begin()
            try:
                self._work()
            except KeyboardInterrupt:
                self._interrupts.draining()
                self._drain()
                raise
        except BaseException:
            for worker in self._workers:
                worker.stop()
            raise
        finally:
            self._end()

    @property
    def _under_way(self) -> int:
        return sum(worker.slots for worker in self._workers) - sum(self._free)

    def _begin(self) -> None:
        for index, worker in enumerate(self._workers):
            for _ in range(worker.slots):
                thread = threading.Thread(target=self._ask, args=(index,), name="phi-job", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _work(self) -> None:
        more = True
        while True:
            while more and (index := self._idle()) is not None:
                more = self._feed(index)
            if not self._under_way and not more and not self._again:
                return
            if not self._under_way and self._idle() is None:
                raise self._last or AssertionError("no worker")
            self._take()
            more = more or bool(self._again)

    def _drain(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            self._take()

    def _idle(self) -> int | None:
        """A worker with a free slot: the one with the most of them."""
        usable = [index for index, free in enumerate(self._free) if free and index not in self._gone]
        return max(usable, key=lambda index: self._free[index], default=None)

    def _feed(self, index: int) -> bool:
        """Give the next item to a worker; whether there was one."""
        numbered = self._again.popleft() if self._again else next(self._items, None)
        if numbered is None:
            return False
        self._free[index] -= 1
        self._asked[index].put(numbered)
        return True

    def _take(self) -> None:
        """Wait for the next outcome, and hand it over."""
        outcome = None
        while outcome is None:  # in pieces, so that Ctrl-C is noticed on every system
            try:
                outcome = self._outcomes.get(timeout=_TICK_S)
            except queue.Empty:
                continue
        self._free[outcome.worker] += 1
        worker = self._workers[outcome.worker]
        if isinstance(outcome.error, WorkerGoneError):
            self._again.append((outcome.number, outcome.item))
            self._last = outcome.error.error
            if outcome.worker not in self._gone:
                self._gone.append(outcome.worker)
                self._on_gone(worker.name, outcome.error.error)
        elif outcome.error is not None:
            raise outcome.error
        else:
            result: Result = outcome.result  # type: ignore[assignment]
            self._on_done(Done(outcome.number, outcome.item, result, worker.name))

    def _ask(self, index: int) -> None:
        """What each thread does: ask one item after the other."""
        while (numbered := self._asked[index].get()) is not None:
            number, item = numbered
            result: Result | None = None
            error: BaseException | None = None
            try:
                result = self._workers[index].ask(item)
            except BaseException as raised:  # noqa: BLE001 - raised again in the thread that waits
                error = raised
            self._outcomes.put(_Outcome(index, number, item, result, error))

    def _end(self) -> None:
        for index, worker in enumerate(self._workers):
            for _ in range(worker.slots):
                self._asked[index].put(None)
        for thread in self._threads:
            thread.join()
