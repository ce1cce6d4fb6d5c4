"""Asks many questions, several at a time, of one worker or of several that share the work."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

from phicli.errors import PhiError
from phicli.jobs.interrupting import interruptions

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

_TICK_S: Final = 0.1
PATIENCE_S: Final = 10.0
"""For workers that were stopped: then they are left to themselves."""


class WorkerGoneError(PhiError):
    """A worker cannot go on, and did not answer its item. ``error`` says why."""

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

    def drain(self) -> None:
        """Wait for nothing: calls of :meth:`ask` that wait before another attempt raise WorkerGoneError soon.

        Those that are being answered go on. From any thread, also twice.
        """

    def stop(self) -> None:
        """Make calls of :meth:`ask`, those that are under way and later ones, raise soon; from any thread, also twice.

        None of them may return a result that says that the item failed.
        """


@runtime_checkable
class LooksAhead(Protocol[Item_contra]):
    """A worker that wants to know what it may be asked first."""

    def expect(self, items: Sequence[Item_contra]) -> None:
        """The first items of the job, before any of them is asked; must return at once."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Item, Result]):
    """One item that was answered, and by which worker."""

    number: int
    item: Item
    result: Result
    worker: str


def run(
    items: Iterable[tuple[int, Item]],
    workers: Sequence[Worker[Item, Result]],
    on_done: Callable[[Done[Item, Result]], None],
    *,
    on_gone: Callable[[str, PhiError], None] = lambda _name, _error: None,
    on_draining: Callable[[int], None] = lambda _under_way: None,
    patience_s: float = PATIENCE_S,
) -> None:
    """Ask every item once, and hand over each result as it comes, in this thread.

    Items are taken from ``items`` only when a worker is free. An item whose worker is gone is asked another one.
    After the first Ctrl-C nothing new is asked, and nothing again; the items that are being answered are awaited, and
    then KeyboardInterrupt is raised. A second Ctrl-C stops these too. In the main thread Ctrl-C raises nothing
    meanwhile, so that no result is lost between its worker and ``on_done``; a third one does.

    Args:
        items: numbers and items; the iterator is used in this thread.
        workers: who answers.
        on_done: gets every result; an exception that it raises ends the job.
        on_gone: called with the name of a worker that is left out, and why.
        on_draining: called after the first Ctrl-C with how many items are awaited, if there are any.
        patience_s: how long the end waits for workers that were stopped.

    Raises:
        PhiError: what a worker raised; or why the last worker is gone.
        KeyboardInterrupt: as above.
    """
    _Run(iter(items), workers, on_done, on_gone, on_draining, patience_s).run()


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
        on_draining: Callable[[int], None], patience_s: float,
    ) -> None:  # fmt: skip
        self._items, self._workers, self._patience_s = items, workers, patience_s
        self._on_done, self._on_gone, self._on_draining = on_done, on_gone, on_draining
        self._asked: list[queue.SimpleQueue[tuple[int, Item] | None]] = [queue.SimpleQueue() for _ in workers]
        self._outcomes: queue.SimpleQueue[_Outcome[Item, Result] | None] = queue.SimpleQueue()
        self._again: deque[tuple[int, Item]] = deque()
        self._slots = [worker.slots for worker in workers]
        self._free = list(self._slots)
        self._gone: set[int] = set()
        self._last: PhiError | None = None
        self._threads: list[threading.Thread] = []
        self._given_up = False

    def run(self) -> None:
        with interruptions(lambda: self._outcomes.put(None)) as self._pressed:
            try:
                self._begin()
                self._work()
                if self._pressed.count:
                    self._drain()
                    raise KeyboardInterrupt
            except BaseException:
                self._stop()
                raise
            self._end_threads()
            _join(self._threads, self._patience_s)
        if self._pressed.count:  # when all was done
            raise KeyboardInterrupt

    @property
    def _under_way(self) -> int:
        return sum(self._slots) - sum(self._free)

    def _begin(self) -> None:
        self._again.extend(islice(self._items, sum(self._slots)))
        for worker in self._workers:
            if isinstance(worker, LooksAhead):
                worker.expect([item for _, item in self._again])
        for index, slots in enumerate(self._slots):
            for _ in range(slots):
                self._threads.append(_thread(partial(self._ask, index)))

    def _work(self) -> None:
        """Ask everything; returns early after the first Ctrl-C."""
        more = True
        while not self._pressed.count:
            while more and (index := self._idle()) is not None:
                more = self._feed(index) and not self._pressed.count
            if not self._under_way and not self._again and not more:
                return
            if not self._under_way and self._idle() is None:
                raise self._last or AssertionError("no worker")
            self._take()
            more = more or bool(self._again)

    def _drain(self) -> None:
        """Wait for what is being answered; returns early after the second Ctrl-C."""
        if self._under_way:
            self._on_draining(self._under_way)
        for worker in self._workers:
            worker.drain()
        while self._under_way and self._pressed.count < 2:
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
        """Wait for the next outcome, and hand it over; returns early when Ctrl-C is pressed."""
        before, outcome = self._pressed.count, None
        while outcome is None:
            try:
                outcome = self._outcomes.get(timeout=_TICK_S)  # in pieces: Windows notices Ctrl-C only in between
            except queue.Empty:
                pass
            if outcome is None and self._pressed.count > before:
                return
        self._free[outcome.worker] += 1
        if isinstance(outcome.error, WorkerGoneError) and self._pressed.count:
            return  # not asked again now, and what else this worker was asked may still be answered
        if isinstance(outcome.error, WorkerGoneError):
            self._again.append((outcome.number, outcome.item))
            self._leave_out(outcome.worker, outcome.error.error)
        elif outcome.error is not None:
            raise outcome.error
        else:
            self._hand_over(outcome)

    def _leave_out(self, index: int, error: PhiError) -> None:
        """Ask a worker nothing more; what else it was asked ends soon."""
        if index not in self._gone:
            self._gone.add(index)
            self._last = error
            _thread(self._workers[index].stop)
            self._on_gone(self._workers[index].name, error)

    def _hand_over(self, outcome: _Outcome[Item, Result]) -> None:
        result: Result = outcome.result  # type: ignore[assignment]
        try:
            self._on_done(Done(outcome.number, outcome.item, result, self._workers[outcome.worker].name))
        except BaseException:
            self._given_up = True
            raise

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

    def _stop(self) -> None:
        """Stop all workers, wait for them a while, and hand over what was answered meanwhile."""
        stopping = [_thread(worker.stop) for worker in self._workers]
        self._end_threads()
        _join([*stopping, *self._threads], self._patience_s)
        while not self._given_up and not self._outcomes.empty():
            outcome = self._outcomes.get()
            if outcome is not None and outcome.error is None:
                self._hand_over(outcome)

    def _end_threads(self) -> None:
        for index, slots in enumerate(self._slots):
            for _ in range(slots):
                self._asked[index].put(None)


def _thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="phi-job", daemon=True)
    thread.start()
    return thread


def _join(threads: Iterable[threading.Thread], patience_s: float) -> None:
    """Wait until ``threads`` have ended, for ``patience_s`` seconds together."""
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
