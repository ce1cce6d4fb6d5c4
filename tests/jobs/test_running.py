"""Many items, several at a time, by one worker or several."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import pytest

from phicli.errors import EngineError
from phicli.jobs.running import Done, WorkerGoneError, run


class Doubling:
    """A worker that doubles numbers; ``before`` is called with each first."""

    def __init__(self, name: str = "a", slots: int = 2, before: Callable[[int], None] = lambda _: None) -> None:
        self.name, self.slots, self._before = name, slots, before
        self.stopped = threading.Event()

    def ask(self, item: int) -> int:
        self._before(item)
        return 2 * item

    def drain(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped.set()


def assert_stopped(worker: Doubling) -> None:
    assert worker.stopped.wait(30)


def results(done: list[Done[int, int]]) -> dict[int, int]:
    assert len({one.number for one in done}) == len(done)
    return {one.number: one.result for one in done}


def test_every_item_is_answered_once() -> None:
    done: list[Done[int, int]] = []
    run(((number, number) for number in range(100)), [Doubling(slots=3), Doubling("b")], done.append)
    assert results(done) == {number: 2 * number for number in range(100)}


def test_a_worker_that_looks_ahead_is_told_what_may_be_asked_first_before_anything_is_asked() -> None:
    told: list[list[int]] = []

    class Looking(Doubling):
        def expect(self, items: Sequence[int]) -> None:
            told.append(list(items))

        def ask(self, item: int) -> int:
            assert told
            return super().ask(item)

    done: list[Done[int, int]] = []
    run(((number, number) for number in range(10)), [Looking(slots=3), Doubling("b")], done.append)
    assert told == [[0, 1, 2, 3, 4]]
    assert results(done) == {number: 2 * number for number in range(10)}


def test_no_more_items_are_taken_than_workers_are_free() -> None:
    taken, gate = [], threading.Event()

    def items():  # type: ignore[no-untyped-def]
        for number in range(10):
            taken.append(number)
            if number == 3:
                gate.set()
            yield number, number

    waited: list[int] = []

    def wait(item: int) -> None:
        assert gate.wait(5)
        waited.append(len(taken))

    run(items(), [Doubling(slots=4, before=wait)], lambda _: None)
    assert waited[0] <= 5


def test_the_items_of_a_worker_that_is_gone_go_to_others() -> None:
    def dies(item: int) -> None:
        if item > 3:
            raise WorkerGoneError(EngineError("it died"))

    done: list[Done[int, int]] = []
    gone: list[str] = []
    first = Doubling("a", 3, dies)
    workers = [first, Doubling("b", 2, lambda item: assert_stopped(first) if item > 10 else None)]
    run(((n, n) for n in range(50)), workers, done.append, on_gone=lambda name, _: gone.append(name))
    assert gone == ["a"]
    assert results(done) == {number: 2 * number for number in range(50)}


def test_without_workers_the_last_error_ends_it() -> None:
    def dies(item: int) -> None:
        if item == 7:
            raise WorkerGoneError(EngineError("it died"))

    worker = Doubling(before=dies)
    with pytest.raises(EngineError, match="it died"):
        run(((n, n) for n in range(50)), [worker], lambda _: None)
    assert worker.stopped.is_set()


def test_nothing_of_an_item_stays_in_memory() -> None:
    """4,000 items of 2,000 bytes would be 8 MB: no more of them are there than are under way."""

    class Repeating(Doubling):
        def ask(self, item: str) -> str:  # type: ignore[override]
            return item * 2

    def items() -> Iterator[tuple[int, str]]:
        return ((number, f"{number:02000}") for number in range(4000))

    seen: list[int] = []
    tracemalloc.start()
    run(items(), [Repeating(slots=8), Repeating("b", 8)], lambda one: seen.append(len(one.result)))  # type: ignore[list-item]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == [4000] * 4000
    assert peak < 1_000_000
