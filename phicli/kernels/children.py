"""Runs the programs of a build: pip, cmake, ninja and the compiler, none of which outlives it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.engine.engine_process import bound
from phicli.engine.exit_codes import signal_name
from phicli.errors import EngineError, reason_of

_NICE: Final = 10
_WAIT_S: Final = 5.0
_KEPT_LINES: Final = 5000
_NO_START: Final = "if it is in the folder for temporary files, set TMPDIR to a folder from which programs can run"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code (negative: the signal that ended it) and the last lines it printed.

    ``late`` when it was ended because it took longer than allowed.
    """

    code: int
    lines: tuple[str, ...]
    late: bool = False

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.late:
            return "did not end in time"
        if self.code < 0:
            return f"crashed with {signal_name(-self.code)}"
        return f"failed with exit code {self.code}"


def run(
    command: Sequence[str | Path],
    *,
    on_line: Callable[[str], None] = lambda _: None,
    environment: Mapping[str, str] | None = None,
    limit_s: float | None = None,
) -> Ended:
    """Run ``command`` with a low priority and without input until it ends; an interruption ends it and its children.

    Args:
        command: the program with its arguments.
        on_line: called with each line that it prints, to whichever stream.
        environment: variables in addition to those of this process.
        limit_s: seconds after which it is ended.

    Raises:
        EngineError: it cannot be started.
    """
    program = shutil.which(str(command[0]))
    if program is None:
        raise EngineError(
            f"{command[0]} cannot be started: it is missing, or its folder does not allow programs", _NO_START
        )
    try:
        process = _started([program, *map(str, command[1:])], {**os.environ, **(environment or {})})
    except OSError as error:
        raise EngineError(f"{program} cannot be started: {reason_of(error)}", _NO_START) from error
    late = threading.Event()

    def end_late() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(limit_s or 0, end_late)
    lines: list[str] = []
    with _ended(process):
        if limit_s is not None:
            timer.daemon = True
            timer.start()
        for line in _lines(process):
            lines.append(line)
            del lines[:-_KEPT_LINES]
            on_line(line)
        process.wait()
        timer.cancel()
    return Ended(process.returncode, tuple(lines), late.is_set())


def _started(words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """The program in a session of its own: Ctrl-C in the terminal is for ``phi``. On Linux it ends with ``phi``."""
    process = subprocess.Popen(
        bound(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
    return process


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
    for line in process.stdout:
        yield line.rstrip()


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Run the program within the context; end it and its children when the context ends."""
    try:
        yield
    finally:
        _end(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_WAIT_S)
        if process.stdout is not None:
            process.stdout.close()


def _end(process: subprocess.Popen[str]) -> None:
    """End ``process`` and its children: first by a request, because only ninja knows those that it started."""
    try:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_WAIT_S)
    finally:
        _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
