"""Ctrl-C while many questions are asked: nothing that was answered is lost."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Interruptions:
    """How often Ctrl-C was pressed; ``on_press`` is called in a signal handler each time, and must return at once."""

    def __init__(self, on_press: Callable[[], None]) -> None:
        self.count = 0
        self._on_press = on_press

    def press(self) -> None:
        """Ctrl-C was pressed.

        Raises:
            KeyboardInterrupt: for the third time: a person does not want to wait for anything.
        """
        self.count += 1
        self._on_press()
        if self.count > 2:
            raise KeyboardInterrupt


@contextlib.contextmanager
def interruptions(on_press: Callable[[], None]) -> Iterator[Interruptions]:
    """Within the context Ctrl-C is counted, and raises nothing before the third time.

    Only the main thread gets signals: in another one nothing is counted. Where Ctrl-C is ignored it still is.
    """
    counted = Interruptions(on_press)

    def on_signal(_: int, __: FrameType | None) -> None:
        counted.press()

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield counted
        return
    signal.signal(signal.SIGINT, on_signal)
    try:
        yield counted
    finally:
        signal.signal(signal.SIGINT, before)
