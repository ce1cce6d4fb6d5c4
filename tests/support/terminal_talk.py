"""A person who talks to ``phi chat`` in a terminal, and reads what stands on the screen."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from types import TracebackType

import pyte

_ROWS, _COLUMNS = 300, 100
_PROMPT = ">>>"
_PATIENCE_S = 60


class TerminalTalk:
    """``phi`` in a terminal that is high enough for everything; leaving the context kills what is left of it."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._screen = pyte.Screen(_COLUMNS, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "phicli", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=environment | {"TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> TerminalTalk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen down to the cursor, without the empty lines at the end; a toolbar is below."""
        lines = [line.rstrip() for line in self._screen.display[: self._screen.cursor.y + 1]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def typed(self) -> str:
        """The line of the cursor, left of it: a suggestion is right of it."""
        cursor = self._screen.cursor
        return self._screen.display[cursor.y][: cursor.x].rstrip()

    def begin(self) -> str:
        """Wait for the first prompt; returns what was printed before it."""
        self.wait_until(self.asks)
        return "\n".join(self.lines[:-1])

    def say(self, line: str) -> str:
        """Type a line at the prompt, and wait for the next prompt; returns what was printed between."""
        row = len(self.lines) - 1
        self.type(line)
        self.wait_until(lambda: self.typed.endswith(line.rsplit("\n", maxsplit=1)[-1].rstrip()[-40:]))
        self.type("\r")
        self.wait_until(lambda: len(self.lines) > row + 1 and self.asks())
        return "\n".join(self.lines[row + 1 : -1])

    def leave(self) -> int:
        """Press Ctrl-D, and wait for the end; returns the exit code."""
        self.type("\x04")
        self.wait_until(lambda: self.process.poll() is not None)
        return self.process.wait()

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Read the screen until ``reached``; fails with what stands there."""
        until = time.monotonic() + _PATIENCE_S
        while not reached():
            assert time.monotonic() < until, "\n".join(self.lines)
            self._read()

    def asks(self) -> bool:
        """Whether the prompt waits for a line."""
        return bool(self.lines) and self.lines[-1] == _PROMPT and self._screen.cursor.y == len(self.lines) - 1

    def _read(self) -> None:
        if select.select([self._ours], [], [], 0.1)[0]:
            try:
                self._stream.feed(os.read(self._ours, 65536))
            except OSError:  # the other side was closed
                self.process.wait()
