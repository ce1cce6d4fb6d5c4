"""Iterators that another thread closes."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from phicli.engine.closable import Closable, Closing


class Source:
    """Makes numbers; waits after the first ``at_once``."""

    def __init__(self, at_once: int = 0) -> None:
        self.at_once = at_once
        self.waits, self.wake = threading.Event(), threading.Event()
        self.ended_in: list[int] = []

    def numbers(self, closing: Closing) -> Generator[int, None, None]:
        try:
            yield from range(self.at_once)
            with closing.woken_by(self.wake.set):
                self.waits.set()
                self.wake.wait(30)
            closing.check()
            yield -1
        finally:
            self.ended_in.append(threading.get_ident())


def test_it_goes_through_what_the_generator_makes() -> None:
    source = Source(3)
    source.wake.set()
    assert list(Closable(source.numbers)) == [0, 1, 2, -1]
    assert source.ended_in == [threading.get_ident()]


def test_closing_from_another_thread_ends_a_wait_in_the_thread_that_waits() -> None:
    source, seen = Source(2), []
    closable = Closable(source.numbers)
    waiting = threading.Thread(target=lambda: seen.extend(closable))
    waiting.start()
    assert source.waits.wait(30)
    closable.close()
    waiting.join(30)
    assert not waiting.is_alive()
    assert seen == [0, 1]
    assert source.ended_in == [waiting.ident]


def test_closing_between_two_items_ends_it_at_once() -> None:
    source = Source(2)
    closable = Closable(source.numbers)
    assert next(closable) == 0
    with ThreadPoolExecutor(1) as pool:
        pool.submit(closable.close).result(30)
    assert len(source.ended_in) == 1
    assert list(closable) == []


def test_closing_before_the_first_item_runs_nothing() -> None:
    source = Source(2)
    closable = Closable(source.numbers)
    closable.close()
    closable.close()
    assert list(closable) == []
    assert source.ended_in == []


def test_an_error_passes_and_closing_afterwards_is_fine() -> None:
    def numbers(closing: Closing) -> Generator[int, None, None]:
        yield 1
        raise ValueError("no more")

    closable = Closable(numbers)
    assert next(closable) == 1
    with pytest.raises(ValueError, match="no more"):
        next(closable)
    closable.close()
    assert list(closable) == []


def test_what_is_dropped_without_closing_ends_at_once() -> None:
    source = Source(2)
    closable = Closable(source.numbers)
    next(closable)
    del closable
    assert len(source.ended_in) == 1


def test_the_code_inside_may_close_it_itself() -> None:
    held: list[Closable[int]] = []

    def numbers(closing: Closing) -> Generator[int, None, None]:
        yield 1
        held[0].close()
        yield 2

    held.append(Closable(numbers))
    assert list(held[0]) == [1]


def test_at_whatever_moment_it_is_closed_it_ends_once_and_gives_nothing_more() -> None:
    with ThreadPoolExecutor(2) as pool:
        for count in range(300):
            source = Source(count)
            closable = Closable(source.numbers)
            reading = pool.submit(list, closable)
            closing = pool.submit(closable.close)
            numbers = reading.result(30)
            closing.result(30)
            assert numbers == list(range(len(numbers)))
            assert -1 not in numbers
            assert list(closable) == []
            assert len(source.ended_in) <= 1
