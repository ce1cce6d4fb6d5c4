"""A person at a terminal, who reads what ``phi`` asks and types."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time


class Person:
    """Sits at a terminal: standard input and standard error of ``phi``; standard output is a pipe."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.screen = ""
        import pty  # Windows has none

        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "phicli", *arguments], stdin=slave, stderr=slave, stdout=subprocess.PIPE,
            env=environment | {"TERM": "xterm", "COLUMNS": "80"}, start_new_session=True, text=True,
            preexec_fn=lambda: _control(slave),  # noqa: PLW1509 - no thread runs here
        )  # fmt: skip
        os.close(slave)

    def wait_for(self, text: str, *, times: int = 1) -> None:
        until = time.monotonic() + 60
        while self.screen.count(text) < times:
            assert time.monotonic() < until, self.screen
            self._read()

    def type(self, text: str) -> None:
        self.type_bytes(text.encode())

    def type_bytes(self, data: bytes) -> None:
        os.write(self._master, data)

    def end(self) -> tuple[int, str]:
        """Exit code and standard output."""
        while self._read():
            pass
        out, _ = self._process.communicate(timeout=60)
        os.close(self._master)
        return self._process.returncode, out

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.2)[0]:
            return self._process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)


def _control(slave: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
