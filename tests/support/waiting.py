"""Waiting for threads and processes to be where a test needs them, without guessing how long that takes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

_DEADLINE_S: Final = 60.0
_LOOK_S: Final = 0.01
_WAITING: Final = {"wait", "read", "readinto", "select", "recv", "recv_into", "get", "acquire"}
"""Functions of the standard library, and of the HTTP library, that a thread is in while it waits for others."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds; fail where it never does."""
    until = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(_LOOK_S)


def frame_of(thread: threading.Thread) -> FrameType | None:
    """Where ``thread`` is."""
    return sys._current_frames().get(thread.ident or 0)


def wait_until_it_waits(thread: threading.Thread) -> None:
    """Return once ``thread`` waits for another thread, for a process or for the network; fail where it ends."""

    def waits() -> bool:
        assert thread.is_alive(), "it ended"
        frame = frame_of(thread)
        return frame is not None and frame.f_code.co_name in _WAITING

    wait_until(waits)
