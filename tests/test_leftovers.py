"""What a test leaves behind is found, with what it is."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

import pytest

from tests.support.leftovers import LeftoverGuard
from tests.support.waiting import wait_until


@pytest.fixture
def guard() -> LeftoverGuard:
    found = LeftoverGuard(grace_s=0.0)
    next(found.pytest_runtest_setup())
    return found


def test_a_thread_that_goes_on_is_named_with_where_it_is(guard: LeftoverGuard) -> None:
    over = threading.Event()

    def wait(_: int) -> None:
        over.wait()

    thread = threading.Thread(target=partial(wait, 1), name="left")
    thread.start()
    (left,) = guard.left()
    assert left.startswith("the thread left at ")
    assert "threading.py" in left
    over.set()
    thread.join()
    assert guard.left() == []


def test_a_daemon_may_stay(guard: LeftoverGuard) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    assert guard.left() == []
    over.set()
    thread.join()


def test_a_thread_that_was_there_before_may_stay() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    guard = LeftoverGuard(grace_s=0.0)
    next(guard.pytest_runtest_setup())
    assert guard.left() == []
    over.set()
    thread.join()


def test_what_ends_by_itself_is_waited_for() -> None:
    guard = LeftoverGuard()
    next(guard.pytest_runtest_setup())
    threading.Timer(0.1, lambda: None).start()
    assert guard.left() == []


@pytest.mark.process
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the children of a process")
def test_a_process_that_goes_on_is_named_with_its_command(guard: LeftoverGuard) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        wait_until(lambda: "input()" in " ".join(guard.left()))
        process.kill()
    assert guard.left() == []
