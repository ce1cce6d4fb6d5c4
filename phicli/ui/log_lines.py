"""Lines on standard error that nobody waits for, also where a terminal is held or nobody reads a pipe."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Final

from phicli.ui.terminal import Terminal

_MOST_WAITING: Final = 1000
_LAST_LINES_S: Final = 1.0


class LogLines:
    """Prints lines in a thread, in order. When too many wait, further ones are left out, and their number is printed.

    Use it as a context: at its end the lines that wait are printed, as far as that takes no longer than a second.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._left_out = 0
        self._thread = threading.Thread(target=self._print, daemon=True, name="phi-log")

    def __enter__(self) -> LogLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
            self._thread.join(_LAST_LINES_S)

    def add(self, text: str) -> None:
        """Have ``text`` printed as one line; returns at once. To be called from one thread at a time."""
        try:
            if self._left_out:
                self._waiting.put_nowait(f"{self._left_out} lines were left out")
                self._left_out = 0
            self._waiting.put_nowait(text)
        except queue.Full:
            self._left_out += 1

    def _print(self) -> None:
        while (text := self._waiting.get()) is not None:
            self._terminal.say(text)
