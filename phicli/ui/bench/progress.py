"""One line on standard error while something is measured: what is done, and how long the rest takes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, TextIO

from phicli.ui.terminal import Terminal, one_line

_TICK_S: Final = 1.0
_USUAL_COLUMNS: Final = 80
_ERASE: Final = "\r\x1b[K"


class MeasuringLine:
    """A line that is written again once a second, and nothing outside a terminal.

    Spinners and bars that are drawn ten times a second take time from what is measured on few cores; this one takes
    a few microseconds a second.

    Args:
        terminal: where to.
        enabled: False shows nothing but warnings (``--quiet``).
    """

    def __init__(self, terminal: Terminal, *, enabled: bool = True) -> None:
        self._terminal = terminal
        self._quiet = not enabled
        self._enabled = enabled and terminal.shows_progress
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._text = ""
        self._ends_at: float | None = None
        self._before = ""
        self._thread: threading.Thread | None = None

    def show(self, text: str, left_s: float | None = None, *, at_most: bool = False) -> None:
        """Show ``text``, and ``left_s`` seconds counting down; None leaves the time out.

        With ``at_most`` they are said to be a limit.
        """
        if not self._enabled:
            return
        with self._lock:
            self._text, self._before = text, "at most " if at_most else ""
            self._ends_at = None if left_s is None else time.monotonic() + left_s
            self._write()
        if self._thread is None:
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def say(self, text: str) -> None:
        """A notice that stays, above this one; nothing with ``--quiet``."""
        if not self._quiet:
            self._print(text)

    def warn(self, text: str) -> None:
        """A warning that stays, with ``--quiet`` too."""
        self._print(f"warning: {text}")

    def _print(self, text: str) -> None:
        with self._lock:
            self._erase()
            self._terminal.say(text)

    def clear(self) -> None:
        """Remove the line until there is something to show again; safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._erase()
            self._thread = None
        self._stop = threading.Event()

    def _tick(self) -> None:
        while not self._stop.wait(_TICK_S):
            with self._lock:
                self._write()

    def _write(self) -> None:
        rest = "" if self._ends_at is None else about(max(self._ends_at - time.monotonic(), 0.0))
        left = f" · {self._before}{rest} left" if rest else ""
        width = max(_columns(self._terminal.stderr) - len("^C") - 1, 0)
        text = one_line(self._text)
        room = max(width - len(left), 0)
        shown = (text if _cells(text) <= room else _cut(text, room - 1) + "…") + left
        with contextlib.suppress(OSError, UnicodeEncodeError):
            self._terminal.stderr.write(_ERASE + _cut(shown, width))
            self._terminal.stderr.flush()

    def _erase(self) -> None:
        if self._thread is None:
            return
        with contextlib.suppress(OSError):
            self._terminal.stderr.write(_ERASE)
            self._terminal.stderr.flush()

    def __enter__(self) -> MeasuringLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


@contextlib.contextmanager
def measuring(*, quiet: bool) -> Iterator[tuple[Terminal, MeasuringLine]]:
    """The process's terminal with a line on it that says what is being measured."""
    terminal = Terminal.current()
    with MeasuringLine(terminal, enabled=not quiet) as line:
        yield terminal, line


def about(seconds: float) -> str:
    """A time that is known roughly: ``8 s``, ``2 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _columns(stream: TextIO) -> int:
    """Of the terminal that ``stream`` is; standard output can be another one, or a pipe."""
    import os

    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def _cells(text: str) -> int:
    """The columns that ``text`` takes: characters of East Asian scripts take two."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _cut(text: str, columns: int) -> str:
    """As much of ``text`` as there are ``columns`` for."""
    taken = 0
    for place, one in enumerate(text):
        taken += _cells(one)
        if taken > columns:
            return text[:place]
    return text
