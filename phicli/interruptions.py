"""Ctrl-C held back while it would leave something half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """A Ctrl-C within the context interrupts at its end.

    Else a process or a thread could have been started that nobody knows yet, or a thread never started that is known.
    Where Ctrl-C is ignored, or somebody else looks after it, nothing changes.
    """
    usual, pressed = signal.default_int_handler, list[int]()
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed:
        raise KeyboardInterrupt
