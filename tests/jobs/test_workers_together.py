"""Several workers, and one with many slots."""

from __future__ import annotations

import threading

from phicli.errors import EngineError
from phicli.jobs.running import Done, WorkerGoneError, run
from tests.jobs.scripted import Scripted, numbered


def test_a_worker_that_is_gone_is_stopped_so_that_its_other_items_go_on_elsewhere() -> None:
    together = threading.Barrier(3)

    def dies(item: int, stopped: threading.Event) -> None:
        together.wait(30)
        if item != 0:
            assert stopped.wait(30)  # a request that hangs
        raise WorkerGoneError(EngineError("unreachable"))

    first, done, gone = Scripted(dies), list[Done[int, int]](), list[str]()
    second = Scripted(lambda *_: assert_set(first.stopped), slots=1, name="b")
    run(numbered(20), [first, second], done.append, on_gone=lambda name, _: gone.append(name))
    assert gone == ["a"]
    assert sorted(one.number for one in done) == list(range(20))
    assert {one.worker for one in done} == {"b"}


def assert_set(event: threading.Event) -> None:
    assert event.wait(30)


def test_a_slow_worker_does_not_hold_the_others_up() -> None:
    """The slow one has one item until the others have answered everything else."""
    rest = threading.Event()

    def slow(*_: object) -> None:
        assert rest.wait(30)

    done: list[str] = []

    def note(one: Done[int, int]) -> None:
        done.append(one.worker)
        if len(done) == 99:
            rest.set()

    run(numbered(100), [Scripted(slow, slots=1, name="slow"), Scripted(lambda *_: None, slots=64, name="fast")], note)
    assert done.count("slow") == 1


def test_many_slots_are_all_used() -> None:
    everyone = threading.Barrier(64)
    done: list[Done[int, int]] = []
    run(numbered(128), [Scripted(lambda *_: assert_met(everyone), slots=64)], done.append)
    assert len(done) == 128


def assert_met(barrier: threading.Barrier) -> None:
    barrier.wait(30)
