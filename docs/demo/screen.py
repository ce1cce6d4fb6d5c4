"""A terminal that a program runs in: what stands on its screen, with colors, dim and reverse."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

PROMPT = ">>> "
LOADING = "  loading"
LIMIT_S = 60.0
QUIET_S = 0.4
DIM, NOT_DIM, BLINK, NOT_BLINK = 2, 22, 5, 25


class Screen(pyte.Screen):
    """A screen that keeps dim text, and answers what a program asks its terminal, such as where the cursor is.

    pyte does not know dim. It knows blinking, which ``phi`` does not use: a character that blinks here is dim.
    """

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, lines)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        """Send an answer."""
        self._answer(data)

    def select_graphic_rendition(self, *attrs: int, private: bool = False) -> None:
        """Set colors and styles; a private sequence is about something else."""
        if private:
            return
        kept = list(attrs)
        for place, code in enumerate(attrs):
            in_color = any(attrs[before : before + 2] in ((38, 5), (48, 5)) for before in (place - 2, place - 1))
            if code in (DIM, NOT_DIM) and not in_color and attrs[0] not in (38, 48):
                kept[place] = BLINK if code == DIM else NOT_BLINK
        super().select_graphic_rendition(*kept)


class Session:
    """Programs that run one after another in the same terminal, with the same home folder."""

    def __init__(self, columns: int, lines: int, home: Path, root: Path) -> None:
        self.screen = Screen(columns, lines, self._type)
        self._stream = pyte.ByteStream(self.screen)
        self._home, self._root = home, root
        self._terminal = -1
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], shown: str) -> None:
        """Print a command line as a shell does, and start the command."""
        self._stream.feed(f"\x1b[1m$ {shown}\x1b[0m\r\n".encode())
        self._terminal, theirs = pty.openpty()
        size = struct.pack("HHHH", self.screen.lines, self.screen.columns, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        self._process = subprocess.Popen(
            command, env=self._environment(), cwd=self._root, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def say(self, line: str) -> None:
        """Type a line at the prompt."""
        self.wait()
        row = self.screen.cursor.y
        self._type(line)
        self._read_until(lambda: self._line(row).endswith(line[-20:]), settles=False)
        self._type("\r")
        self._read_until(lambda: self.screen.cursor.y > row, settles=False)

    def wait(self) -> None:
        """Wait for the prompt, until the model is loaded, and until nothing more is printed."""
        self._read_until(
            lambda: self._line(self.screen.cursor.y) == PROMPT.rstrip() and LOADING not in self.screen.display[-1]
        )

    def leave(self) -> None:
        """Press Ctrl-D at the prompt, and wait for the end."""
        self.wait()
        self._type("\x04")
        self.end()

    def end(self) -> None:
        """Wait for the end of the command."""
        self._read_until(lambda: self._process is None or self._process.poll() is not None)
        self.close()

    def close(self) -> None:
        """End the command, if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            os.close(self._terminal)
            self._process = None

    def _read_until(self, reached: Callable[[], bool], *, settles: bool = True) -> None:
        """Read the screen until ``reached``, and with ``settles`` until nothing more has come for a while.

        Raises:
            SystemExit: it takes too long; with what stands on the screen.
        """
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if not settles and reached():
                return
            if select.select([self._terminal], [], [], QUIET_S)[0]:
                try:
                    self._stream.feed(os.read(self._terminal, 1 << 16))
                except OSError:  # Linux: the command has ended
                    time.sleep(QUIET_S / 10)
                    if reached():
                        return
            elif reached():
                return
        raise SystemExit("\n".join(["the screen does not become what it should:", *self.screen.display]))

    def _line(self, row: int) -> str:
        return str(self.screen.display[row]).rstrip()

    def _type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _environment(self) -> Mapping[str, str]:
        """An environment without anything of the caller's that would change the picture."""
        names = ("PHI_", "HF_", "XDG_", "LC_", "COLUMNS", "LINES", "NO_COLOR", "TERM")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        return {
            **kept, "PHI_HOME": str(self._home), "HF_HOME": str(self._home / "hf"), "HF_HUB_OFFLINE": "1",
            "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLUMNS": str(self.screen.columns),
            "LINES": str(self.screen.lines),
        }  # fmt: skip
