"""What every test of jobs leaves behind: no thread, and the handler of Ctrl-C that was there."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.jobs.scripted import job_threads


@pytest.fixture(autouse=True)
def in_main_thread() -> Iterator[None]:
    assert threading.current_thread() is threading.main_thread(), "pytest runs its tests elsewhere"
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 60
    while job_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not job_threads()
