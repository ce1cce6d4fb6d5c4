"""Asks other programs, none of which may keep ``phi`` waiting."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import subprocess

_GRACE_S: Final = 0.2


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
        """Run a program without input; past ``limit_s`` seconds it and all that it started are killed."""
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
        try:
            raw, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return Output("", f"{name} did not answer in {limit_s:g} s")
        finally:
            if process.returncode is None:
                _kill(process)
        text = raw.decode("utf-8", "replace")
        return Output(text, _failure(name, process.returncode, text, errors.decode("utf-8", "replace")))


SYSTEM: Final = SystemCommands()


def _failure(name: str, status: int, text: str, errors: str) -> str | None:
    """Why a program failed, in its own words: an error's last line is the reason, a report's first one is."""
    if status == 0:
        return None
    if status < 0:
        return f"{name} was ended by signal {-status}"
    said = [line.strip() for line in errors.splitlines() if line.strip()][-1:]
    said = said or [line.strip() for line in text.splitlines() if line.strip()][:1]
    return f"{name} failed: {said[0][:200]}" if said else f"{name} failed with exit code {status}"


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
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
