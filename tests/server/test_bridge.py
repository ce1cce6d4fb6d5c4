"""Items that threads make, read in the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from phicli.engine.closable import Closing
from phicli.server.http.bridge import Bridge, Make
from tests.support.waiting import wait_until

SOON_S = 0.01
LATE_S = 60.0


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("phi-")}


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``test`` in an event loop; no thread is left behind."""
    before = threads()
    asyncio.run(test())
    wait_until(lambda: threads() <= before)


async def everything(bridge: Bridge[int], into: list[int] | None = None) -> list[int]:
    items: list[int] = [] if into is None else into
    while (batch := await bridge.batch(LATE_S)) is not None:
        items += batch
    return items


def bridged(*makes: Make[int]) -> Bridge[int]:
    bridge: Bridge[int] = Bridge()
    for make in makes:
        bridge.add(make)
    return bridge


def counting(number: int, start: int = 0) -> Make[int]:
    def make(_: Closing) -> Generator[int, None, None]:
        yield from range(start, start + number)

    return make


class Waits:
    """Yields 0, then waits until it is closed; says where that was."""

    def __init__(self) -> None:
        self.waits, self.woken = threading.Event(), threading.Event()
        self.woken_in: list[int] = []
        self.ended = threading.Event()

    def make(self, closing: Closing) -> Generator[int, None, None]:
        try:
            yield 0
            with closing.woken_by(self._wake):
                self.waits.set()
                self.woken.wait(LATE_S)
        finally:
            self.ended.set()

    def _wake(self) -> None:
        self.woken_in.append(threading.get_ident())
        self.woken.set()


@pytest.mark.parametrize("number", [0, 1, 300, 20_000])
def test_all_items_come_in_order(number: int) -> None:
    async def test() -> None:
        assert await everything(bridged(counting(number))) == list(range(number))

    run(test)


def test_the_items_of_several_threads_come_together() -> None:
    async def test() -> None:
        items = await everything(bridged(counting(1000), counting(1000, 5000), counting(0)))
        assert sorted(items) == [*range(1000), *range(5000, 6000)]
        assert [item for item in items if item < 5000] == list(range(1000))

    run(test)


def test_a_thread_can_have_another_one_begin() -> None:
    async def test() -> None:
        def make(_: Closing) -> Generator[int, None, None]:
            yield 0
            bridge.add(counting(2, 5))

        bridge = bridged()
        bridge.add(make)
        assert sorted(await everything(bridge)) == [0, 5, 6]
        left = bridged()
        left.leave()
        left.add(counting(1))
        assert await everything(left) == []

    run(test)


def test_no_item_is_lost_between_a_look_and_a_wait() -> None:
    async def test() -> None:
        for _ in range(300):
            assert await everything(bridged(counting(3))) == [0, 1, 2]

    run(test)


def test_a_reader_that_is_patient_for_a_moment_gets_nothing_and_goes_on() -> None:
    async def test() -> None:
        source = Waits()
        bridge = bridged(source.make)
        assert await bridge.batch(LATE_S) == [0]
        assert await bridge.batch(SOON_S) == []
        assert await bridge.batch(0) == []
        source.woken.set()
        assert await bridge.batch(LATE_S) is None

    run(test)


def test_what_a_thread_raises_comes_after_its_items() -> None:
    def make(_: Closing) -> Generator[int, None, None]:
        yield 1
        raise ValueError("two")

    async def test() -> None:
        bridge = bridged(make)
        seen: list[int] = []
        with pytest.raises(ValueError, match="two"):
            await everything(bridge, seen)
        assert seen == [1]

    run(test)


def test_a_reader_that_leaves_wakes_the_thread_but_not_in_the_loop() -> None:
    source = Waits()

    async def test() -> None:
        bridge = bridged(source.make)
        assert await bridge.batch(LATE_S) == [0]
        await asyncio.to_thread(source.waits.wait)
        bridge.leave()
        bridge.leave()
        await asyncio.to_thread(source.ended.wait)
        assert threading.get_ident() not in source.woken_in

    run(test)
    assert len(source.woken_in) == 1


def test_leaving_does_not_wait_for_what_wakes() -> None:
    released, woken = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def wake() -> bool:
        in_time.append(released.wait(LATE_S))
        woken.set()
        return True

    def make(closing: Closing) -> Generator[int, None, None]:
        with closing.woken_by(wake):
            yield 0
            released.wait(LATE_S)

    async def test() -> None:
        bridge = bridged(make)
        await bridge.batch(LATE_S)
        bridge.leave()
        released.set()
        await asyncio.to_thread(woken.wait)

    run(test)
    assert in_time == [True], "the loop waited in leave() until waking was over"


def test_leaving_ends_a_thread_that_waits_for_a_reader() -> None:
    ended = threading.Event()

    def make(_: Closing) -> Generator[int, None, None]:
        try:
            yield from range(1_000_000)
        finally:
            ended.set()

    async def test() -> None:
        bridge = bridged(make)
        await bridge.batch(LATE_S)
        bridge.leave()
        await asyncio.to_thread(ended.wait)

    run(test)


def test_a_thread_does_not_run_far_ahead_of_its_reader() -> None:
    made: list[int] = []

    def make(_: Closing) -> Generator[int, None, None]:
        for item in range(10_000):
            made.append(item)
            yield item

    async def test() -> None:
        bridge = bridged(make)
        first = await bridge.batch(LATE_S)
        await asyncio.sleep(SOON_S)
        assert first is not None
        assert len(made) < len(first) + 300
        bridge.leave()

    run(test)


def test_failing_gives_the_reader_an_error_and_ends_the_thread() -> None:
    source = Waits()

    async def test() -> None:
        bridge = bridged(source.make)
        assert await bridge.batch(LATE_S) == [0]
        asyncio.get_running_loop().call_soon(bridge.fail, ValueError("enough"))
        with pytest.raises(ValueError, match="enough"):
            await bridge.batch(LATE_S)

    run(test)
    assert source.ended.is_set()


def test_a_reader_that_is_cancelled_leaves_the_bridge_usable() -> None:
    async def test() -> None:
        source = Waits()
        bridge = bridged(source.make)
        await bridge.batch(LATE_S)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bridge.batch(LATE_S), SOON_S)
        source.woken.set()
        assert await bridge.batch(LATE_S) is None

    run(test)


def test_a_loop_that_has_ended_does_not_trouble_the_thread() -> None:
    source = Waits()

    async def test() -> None:
        await bridged(source.make).batch(LATE_S)

    asyncio.run(test())
    source.woken.set()
    assert source.ended.wait(LATE_S)
