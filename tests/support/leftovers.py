"""A guard that no test leaves a thread or a process behind: it would go on in the middle of another test.

A plugin of pytest, registered in ``tests/conftest.py``. What is there before a test, or is made by a fixture of a wider
scope, may stay. Tests of a fixture of a wider scope that ends later are not looked at: it may start an engine in one of
them, and keep it for the others.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import children

GRACE_S = 20.0
"""For what ends by itself: it is waited for, so that the next test begins without it."""
_START_NOTHING = frozenset({"prepared", "tests_home"})
"""Fixtures of a wider scope with an end of which that is known: almost all tests use them."""
_LINUX = sys.platform.startswith("linux")


class LeftoverGuard:
    """Fails a test at whose end a thread or a child process runs that it has started."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._before: set[object] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """What a fixture of a wider scope starts belongs to no test."""
        if fixturedef.scope == "function":
            return (yield)
        before = _running()
        try:
            return (yield)
        finally:
            self._before |= _running() - before

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Note what is there before the first fixture of the test."""
        self._before = _running()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Fail the test where something is left after its last fixture has ended."""
        result = yield
        if not _uses_what_stays(item) and (left := self.left()):
            pytest.fail(f"{item.nodeid} has left: " + "; ".join(left), pytrace=False)
        return result

    def left(self) -> list[str]:
        """What the test has started and still runs, after some patience."""
        until = time.monotonic() + self._grace_s
        while (left := _running() - self._before) and time.monotonic() < until:
            time.sleep(0.01)
        return sorted(map(_described, left))


def _uses_what_stays(item: pytest.Item) -> bool:
    known = getattr(item, "_fixtureinfo", None)
    fixtures = {} if known is None else known.name2fixturedefs
    return any(
        found[-1].scope != "function" and inspect.isgeneratorfunction(found[-1].func) and name not in _START_NOTHING
        for name, found in fixtures.items()
    )


def _running() -> set[object]:
    """The threads that are no daemons, and the ids of the child processes where the system tells them cheaply."""
    threads = {thread for thread in threading.enumerate() if not thread.daemon}
    processes = {pid for pid in children(os.getpid()) if not _is_zombie(pid)} if _LINUX else set()
    return {*threads, *processes}


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _described(left: object) -> str:
    if isinstance(left, threading.Thread):
        frame = sys._current_frames().get(left.ident or 0)
        at = [f"{one.filename}:{one.lineno}" for one in traceback.extract_stack(frame)[-3:]] if frame else []
        return f"the thread {left.name} at {' '.join(at)}"
    try:
        return f"the process {left}: {' '.join(psutil.Process(int(str(left))).cmdline())}"
    except psutil.Error:
        return f"the process {left}"
