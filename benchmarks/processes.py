"""Measures a whole command from outside: time to its first output, to its end, CPU time, memory of all processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.loaded import cpu_seconds

_LEAVE_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds from starting the process, and the sum of the resident peaks of it and its children in bytes.

    ``first_output_cpu_s`` is the CPU time of all of them until the first output.
    """

    first_output_s: float
    total_s: float
    peak_rss_bytes: int
    first_output_cpu_s: float = 0.0


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    text: str = "",
    pieces: int | None = None,
) -> Measured:
    """Run ``command`` and measure it.

    Args:
        command: the program and its arguments.
        environment: its variables; those of this process when None.
        text: what it reads from standard input.
        pieces: the command is ended after so many pieces of output, if it has not ended by then.

    Raises:
        RuntimeError: it failed or printed nothing.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE if text else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if environment is None else dict(environment),
    )
    watch = _PeakWatch(process.pid)
    watch.start()
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdin is not None:
        process.stdin.write(text.encode())
        process.stdin.close()
    first = os.read(process.stdout.fileno(), 1)
    first_s, first_cpu_s = time.perf_counter() - started, _cpu_seconds(process.pid)
    if pieces is None:
        process.stdout.read()
    elif all(os.read(process.stdout.fileno(), 1 << 16) for _ in range(pieces)):
        _end(process)
    errors = process.stderr.read().decode(errors="replace")
    code = process.wait()
    total_s = time.perf_counter() - started
    watch.join()
    if not first or (code != 0 and pieces is None):
        raise RuntimeError(f"{' '.join(command)} ended with {code} and printed {first!r}: {errors}")
    return Measured(first_s, total_s, watch.peak_bytes, first_cpu_s)


def _cpu_seconds(pid: int) -> float:
    """That of a process that may have ended; then 0."""
    try:
        return cpu_seconds(pid)
    except psutil.NoSuchProcess:
        return 0.0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and return when its children have ended too."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    process.terminate()
    _, alive = psutil.wait_procs(children, _LEAVE_TIMEOUT_S)
    for child in alive:
        child.kill()


class _PeakWatch(threading.Thread):
    """Adds up the resident peak of each process of a tree while it lives; ten looks a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._peaks: dict[int, int] = {}

    @property
    def peak_bytes(self) -> int:
        """The sum of the peaks seen."""
        return sum(self._peaks.values())

    def run(self) -> None:
        """Look until the process is gone."""
        try:
            root = psutil.Process(self._pid)
            while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
                for process in (root, *root.children(recursive=True)):
                    self._look(process)
                time.sleep(0.1)
        except psutil.Error:
            return

    def _look(self, process: psutil.Process) -> None:
        try:
            resident = process.memory_info().rss
        except psutil.Error:
            return
        self._peaks[process.pid] = max(self._peaks.get(process.pid, 0), resident)
