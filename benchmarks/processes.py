"""Measures a whole command from outside: time to its first output, to its end, and the memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds from starting the process, and the sum of the resident peaks of it and its children in bytes."""

    first_output_s: float
    total_s: float
    peak_rss_bytes: int


def measure(command: Sequence[str]) -> Measured:
    """Run ``command`` and measure it.

    Raises:
        RuntimeError: it failed or printed nothing.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watch = _PeakWatch(process.pid)
    watch.start()
    assert process.stdout is not None
    assert process.stderr is not None
    first = os.read(process.stdout.fileno(), 1)
    first_s = time.perf_counter() - started
    process.stdout.read()
    errors = process.stderr.read().decode(errors="replace")
    code = process.wait()
    total_s = time.perf_counter() - started
    watch.join()
    if code != 0 or not first:
        raise RuntimeError(f"{' '.join(command)} ended with {code} and printed {first!r}: {errors}")
    return Measured(first_s, total_s, watch.peak_bytes)


class _PeakWatch(threading.Thread):
    """Adds up the resident peak of each process of a tree while it lives; twenty looks a second."""

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
                time.sleep(0.05)
        except psutil.Error:
            return

    def _look(self, process: psutil.Process) -> None:
        try:
            resident = process.memory_info().rss
        except psutil.Error:
            return
        self._peaks[process.pid] = max(self._peaks.get(process.pid, 0), resident)
