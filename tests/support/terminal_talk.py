"""A person who talks to ``phi chat`` in a terminal, and reads what stands on the screen."""

from __future__ import annotations

import fcntl
import os
import re
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


class _Screen(pyte.Screen):
    """A screen that answers when it is asked where its cursor is."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows)
        self.write_process_input = answer


class TerminalTalk:
    """``phi`` in a terminal that is high enough for everything; leaving the context kills what is left of it.

    With ``piped`` that is its standard input; the terminal is still the one that controls it. Only a terminal that
    ``tells`` where its cursor is gets a toolbar. With ``colour`` answers are rendered as Markdown.
    """

    def __init__(
        self, environment: dict[str, str], *arguments: str, piped: bytes | None = None, term: str = "xterm",
        tells: bool = False, columns: int = _COLUMNS, colour: bool = False,
    ) -> None:  # fmt: skip
        self._screen = _Screen(columns, _ROWS, self.type)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        self._received = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "phicli", *arguments],
            stdin=theirs if piped is None else subprocess.PIPE, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no thread runs here
            env=environment
            | {"TERM": term, "NO_COLOR": "" if colour else "1", "PROMPT_TOOLKIT_NO_CPR": "" if tells else "1"},
        )  # fmt: skip
        os.close(theirs)
        if self.process.stdin is not None:
            with self.process.stdin as pipe:
                pipe.write(piped or b"")

    def __enter__(self) -> TerminalTalk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal, as far as that is not done."""
        if self._ours >= 0:
            os.close(self._ours)
        self._ours = -1

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

    @property
    def below(self) -> str:
        """The toolbar: what stands below the cursor."""
        return "\n".join(self._screen.display[self._screen.cursor.y + 1 :]).strip()

    @property
    def printed(self) -> str:
        """Everything that was printed so far, without colors: also what a screen that became narrow has lost."""
        return re.sub(r"\x1b\[[\d;]*m", "", self._received.decode(errors="replace")).replace("\r\n", "\n")

    def is_bold(self, word: str) -> bool:
        """Whether ``word`` is bold where it stands first."""
        row = next(row for row, line in enumerate(self._screen.display) if word in line)
        return bool(self._screen.buffer[row][self._screen.display[row].index(word)].bold)

    def resize(self, columns: int) -> None:
        """Make the terminal wider or narrower; the screen does not wrap its lines again."""
        self._screen.resize(columns=columns)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))

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
                data = os.read(self._ours, 65536)
                self._received += data
                self._stream.feed(data)
            except OSError:  # the other side was closed
                self.process.wait()
