"""Asks other programs, none of which may keep ``phi`` waiting."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import subprocess

_GRACE_S: Final = 0.2
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """What a program wrote to standard output; ``failure`` says in words why it did not do what was asked."""

    text: str
    failure: str | None = None


class Commands(Protocol):
    """Whoever starts programs: the system, or a test with recorded answers."""

    def has(self, name: str) -> bool:
        """Whether there is a program of this name."""

    def __call__(self, arguments: Sequence[str], limit_s: float) -> Output:
        """The answer of a program within ``limit_s`` seconds; a failure is part of the answer."""


class SystemCommands:
    """Starts the programs on PATH."""

    def has(self, name: str) -> bool:
        """Whether PATH has a program of this name."""
        import shutil

        return shutil.which(name) is not None

    def __call__(self, arguments: Sequence[str], limit_s: float) -> Output:
        """Run a program without input; what it started is killed with it, and itself past ``limit_s`` seconds."""
        import subprocess

        name = Path(arguments[0]).stem
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            return Output("", f"{name} cannot be started: {error.strerror or error}")
        answer, errors = _Reader(process.stdout), _Reader(process.stderr)
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return Output("", f"{name} did not answer in {limit_s:g} s")
        else:  # all that it wrote is in the pipes, which its children may keep open
            answer.wait(_GRACE_S)
            errors.wait(_GRACE_S)
        finally:
            _kill(process)
        if answer.full or errors.full:
            return Output("", f"{name} printed too much output")
        text = answer.text()
        return Output(text, _failure(name, process.returncode, text, errors.text()))


class _Reader:
    """Reads a pipe beside the waiting for the program; past ``_MOST_BYTES`` it closes it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        from threading import Thread

        assert pipe is not None  # noqa: S101 (every program is started with pipes)
        self._pipe = pipe
        self._parts: list[bytes] = []
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """It read as much as it ever will."""
        return sum(map(len, self._parts)) >= _MOST_BYTES

    def _read(self) -> None:
        with self._pipe as pipe:
            while not self.full:
                try:
                    part = os.read(pipe.fileno(), _MOST_BYTES)
                except OSError:
                    return
                if not part:
                    return
                self._parts.append(part)

    def wait(self, limit_s: float) -> None:
        """Wait until the pipe has ended, at most ``limit_s`` seconds."""
        self._thread.join(limit_s)

    def text(self) -> str:
        """What was read."""
        return b"".join(self._parts).decode("utf-8", "replace")


SYSTEM: Final = SystemCommands()


def printable(said: str) -> str:
    """At most 200 characters of what a program said, without those that would upset a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in said[:200])


def _failure(name: str, status: int, text: str, errors: str) -> str | None:
    """Why a program failed, in its own words: an error's last line is the reason, a report's first one is."""
    if status == 0:
        return None
    if status < 0:
        return f"{name} was ended by signal {-status}"
    said = [line.strip() for line in errors.splitlines() if line.strip()][-1:]
    said = said or [line.strip() for line in text.splitlines() if line.strip()][:1]
    return f"{name} failed: {printable(said[0])}" if said else f"{name} failed with exit code {status}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children, and never wait long: one that hangs in a driver does not die at once."""
    import signal
    import subprocess

    if sys.platform == "win32":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
