"""Many at a time, or one alone; and when an engine that crashes is given up."""

from __future__ import annotations

import threading
import time

import pytest

from phicli.answering.isolation import CrashIsolation, Gate
from phicli.answering.types import Answer
from phicli.engine.types import Usage
from phicli.errors import EngineDiedError, EngineError


def test_who_works_alone_waits_for_the_others_and_goes_before_the_next() -> None:
    gate, order, inside = Gate(), [], threading.Event()
    leave = threading.Event()

    def first() -> None:
        with gate.together():
            inside.set()
            leave.wait(30)
            order.append("first")

    def alone() -> None:
        with gate.alone():
            order.append("alone")

    def second() -> None:
        with gate.together():
            order.append("second")

    threads = [threading.Thread(target=target) for target in (first, alone)]
    for thread in threads:
        thread.start()
        inside.wait(30)
    deadline = time.monotonic() + 30
    while not gate._wanting and time.monotonic() < deadline:
        time.sleep(0.001)
    threads.append(threading.Thread(target=second))
    threads[-1].start()
    leave.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "alone", "second"]


ANSWER = Answer("Paris", "", (), "stop", Usage(1, 1, 0), None, 0.0, None, 0.0, None, 2)


def answered() -> Answer:
    return ANSWER


def crash() -> Answer:
    raise EngineDiedError("its process crashed", "", data={"crashed": True})


def crashes_until_given_up(isolation: CrashIsolation) -> int:
    """How many questions in a row crash before the engine is given up; no more than 100 are asked."""
    for number in range(1, 101):
        with pytest.raises(EngineError, match="crashed") as caught:
            isolation.ask(crash)
        if isinstance(caught.value, EngineDiedError):
            assert f"crashed on {number} questions in a row" in caught.value.message
            return number
    raise AssertionError("it is never given up")


def test_an_engine_that_crashes_at_everything_is_given_up() -> None:
    assert crashes_until_given_up(CrashIsolation()) > 1


def test_a_crash_counts_in_a_row_only() -> None:
    isolation = CrashIsolation()
    most = crashes_until_given_up(CrashIsolation())
    for _ in range(2):
        for _ in range(most - 1):
            with pytest.raises(EngineError) as caught:
                isolation.ask(crash)
            assert not isinstance(caught.value, EngineDiedError)
        assert isolation.ask(answered) is ANSWER
    assert crashes_until_given_up(isolation) == most
