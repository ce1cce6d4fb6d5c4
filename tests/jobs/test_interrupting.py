"""Ctrl-C at every moment of a job: what was answered is handed over, and the threads end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from phicli.answering.asked import Asked
from phicli.chat_format.types import Message
from phicli.errors import EngineDiedError, EngineError
from phicli.jobs.interrupting import Interruptions, interruptions
from phicli.jobs.running import Done, run
from phicli.jobs.workers import Outcome, RemoteWorker
from phicli.remotes.asking import RemoteAsking
from phicli.remotes.retrying import Retrying
from tests.jobs.scripted import Scripted, job_threads, numbered
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import remote_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


def press() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


class Announced:
    """Notes what is announced, and does something then."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.under_way: list[int] = []
        self._then = then

    def __call__(self, under_way: int) -> None:
        self.under_way.append(under_way)
        self._then()


@pytest.mark.parametrize("at", [0, 1, 7, 98, 99])
def test_the_first_press_awaits_what_is_under_way_and_asks_nothing_new(at: int) -> None:
    pressed = threading.Event()

    def script(item: int, _: threading.Event) -> None:
        if item == at:
            press()
            pressed.set()

    worker, done, announced = Scripted(script), list[Done[int, int]](), Announced()
    with pytest.raises(KeyboardInterrupt):
        run(numbered(100), [worker], done.append, on_draining=announced)
    assert sorted(one.number for one in done) == sorted(worker.asked)
    assert at <= len(done) <= at + 2 * worker.slots
    assert len(announced.under_way) <= 1


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("after_s", [0.0, 0.3])
def test_the_first_press_ends_waits_for_another_attempt_and_what_waited_stays_open(status: int, after_s: float) -> None:
    """The remote has asked for ten minutes of patience, or ``phi`` gives it as much by itself."""
    drained = threading.Event()

    def behave(number: int) -> Behaviour:
        if number == 0:
            threading.Timer(after_s, press).start()
            return Behaviour(status=status, headers={"Retry-After": "600"})
        assert drained.wait(30)
        return Behaviour(pieces=("It", " is."))

    done, gone = list[Done[Asked, Outcome]](), list[str]()
    patient = Retrying(busy=3, unreachable=2, first_s=600, longest_s=600)
    with Endpoint(behave) as endpoint, remote_model(endpoint.url, connections=2, retrying=patient) as model:
        worker = RemoteWorker("lab/phi-4", RemoteAsking(model), 2, pause_s=600)
        items = ((number, Asked("m", (Message("user", str(number)),))) for number in range(5))
        with pytest.raises(KeyboardInterrupt):
            run(
                items, [worker], done.append, on_gone=lambda name, _: gone.append(name),
                on_draining=Announced(then=drained.set),
            )  # fmt: skip
        assert sorted(chat.body["messages"][-1]["content"] for chat in endpoint.chats) == ["0", "1"]
    assert [one.result.answer and one.result.answer.text for one in done] == ["It is."]
    assert gone == []


def test_a_press_while_a_result_is_handed_over_waits_for_that() -> None:
    worker, saved, begun = Scripted(lambda *_: None), list[int](), list[int]()

    def save(one: Done[int, int]) -> None:
        begun.append(one.number)
        if len(begun) == 5:
            press()
        saved.append(one.number)

    with pytest.raises(KeyboardInterrupt):
        run(numbered(100), [worker], save)
    assert saved == begun
    assert sorted(saved) == sorted(worker.asked)


def test_a_press_while_the_items_are_read_loses_nothing() -> None:
    def items() -> Iterator[tuple[int, int]]:
        yield from numbered(4)
        press()
        yield from ((number, number) for number in range(4, 100))

    worker, done = Scripted(lambda *_: None), list[Done[int, int]]()
    with pytest.raises(KeyboardInterrupt):
        run(items(), [worker], done.append)
    assert sorted(one.number for one in done) == sorted(worker.asked)
    assert len(done) <= 5


def test_the_second_press_stops_what_is_under_way_and_keeps_what_was_answered() -> None:
    def script(item: int, stopped: threading.Event) -> None:
        if item == 4:
            press()
        if item > 2:
            assert stopped.wait(30)
            raise EngineDiedError("it was closed")

    worker, done = Scripted(script), list[Done[int, int]]()
    announced = Announced(then=press)
    with pytest.raises(KeyboardInterrupt):
        run(numbered(100), [worker], done.append, on_draining=announced)
    assert {one.number for one in done} == {0, 1, 2}
    assert worker.stopped.is_set()
    assert announced.under_way
    assert announced.under_way[0] > 0


def test_what_is_answered_just_when_the_second_press_comes_is_handed_over() -> None:
    """Both are answered while the main thread is told of the first press."""
    both = threading.Barrier(2)

    def script(item: int, _: threading.Event) -> None:
        both.wait(30)
        if item == 0:
            press()

    def later() -> None:
        time.sleep(0.05)
        press()

    done: list[Done[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        run(numbered(2), [Scripted(script, slots=2)], done.append, on_draining=Announced(then=later))
    assert {one.number for one in done} == {0, 1}


def test_a_worker_that_hangs_does_not_block_the_end() -> None:
    forever = threading.Event()

    def script(item: int, _: threading.Event) -> None:
        if item == 3:
            press()
        if item > 0:
            forever.wait(60)

    done: list[Done[int, int]] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            run(numbered(9), [Scripted(script)], done.append, on_draining=Announced(then=press), patience_s=0.05)
        assert [one.number for one in done] == [0]
        assert job_threads(), "they still hang: nobody waited for them"
    finally:
        forever.set()


def test_a_stop_that_hangs_does_not_block_the_other_workers() -> None:
    forever = threading.Event()

    class Hanging(Scripted):
        def stop(self) -> None:
            forever.wait(60)

    def waits(item: int, stopped: threading.Event) -> None:
        if item == 5:
            press()
        stopped.wait(60)
        raise EngineDiedError("it was closed")

    workers = [Hanging(lambda item, _: waits(item, forever)), Scripted(waits, name="b")]
    try:
        with pytest.raises(KeyboardInterrupt):
            run(numbered(9), workers, lambda _: None, on_draining=Announced(then=press), patience_s=0.05)
        assert workers[1].stopped.wait(30)
    finally:
        forever.set()


def test_the_third_press_waits_for_nothing() -> None:
    def pressing(pressed: Interruptions) -> None:
        for _ in range(3):
            press()
        pytest.fail(f"{pressed.count} were counted")

    with interruptions(lambda: None) as pressed:
        with pytest.raises(KeyboardInterrupt):
            pressing(pressed)
        assert pressed.count == 3


def test_where_ctrl_c_is_ignored_it_still_is() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done: list[Done[int, int]] = []
        run(numbered(9), [Scripted(lambda item, _: press())], done.append)
        assert len(done) == 9
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_are_left_alone() -> None:
    before, seen, done = signal.getsignal(signal.SIGINT), list[object](), list[Done[int, int]]()

    def script(*_: object) -> None:
        seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run, args=(numbered(9), [Scripted(script)], done.append))
    thread.start()
    thread.join(30)
    assert len(done) == 9
    assert set(seen) == {before}


def test_an_error_while_results_are_handed_over_ends_the_job_and_hands_over_no_more() -> None:
    calls: list[int] = []

    def save(one: Done[int, int]) -> None:
        calls.append(one.number)
        if len(calls) == 3:
            raise EngineError("the disk is full")

    with pytest.raises(EngineError, match="full"):
        run(numbered(50), [Scripted(lambda *_: None)], save)
    assert len(calls) == 3


def test_results_that_are_there_when_another_item_ends_the_job_are_handed_over() -> None:
    """Item 1 ends the job while item 0 is handed over; 2 and 3 are answered by then."""
    answered, others = threading.Semaphore(0), threading.Event()

    def script(item: int, _: threading.Event) -> None:
        if item == 1:
            assert others.wait(30)
            answered.release()
            raise EngineDiedError("it was killed")
        if item:
            assert others.wait(30)
            answered.release()

    done: list[int] = []

    def save(one: Done[int, int]) -> None:
        if not done:
            others.set()
            for _ in range(3):
                answered.acquire(timeout=30)
        done.append(one.number)

    with pytest.raises(EngineDiedError):
        run(numbered(4), [Scripted(script, slots=4)], save)
    assert sorted(done) == [0, 2, 3]
