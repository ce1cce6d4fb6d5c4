"""Many at a time, or one alone."""

from __future__ import annotations

import threading
import time

from phicli.answering.isolation import Gate


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
