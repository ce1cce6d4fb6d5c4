"""The highest resident memory of a process, looked at between the things that are timed, never during them.

On Linux the kernel keeps the highest total itself (``VmHWM``, proc_pid_status(5)); it does not keep the highest
anonymous part, so of ``RssAnon`` the largest that was seen counts: what an engine allocates it keeps until it ends.
Elsewhere the total comes from psutil, which knows the highest on Windows only, and the anonymous part is not told.
The total has the mapped weights in it, which the system can drop and read again. Memory of a graphics processor is
in neither.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from phicli.hardware.cgroup import ROOT, read_text
from phicli.records.run import Peak

_KIB: Final = 1024


class PeakMemory:
    """Keeps the highest values of the process ``pid``.

    Args:
        pid: the process.
        root: where ``/proc`` is found; tests give a folder of their own.
    """

    def __init__(self, pid: int, root: Path = ROOT) -> None:
        self._pid, self._root = pid, root
        self._peak: Peak | None = None

    @property
    def peak(self) -> Peak | None:
        """The highest so far; None when nothing is known."""
        return self._peak

    def look(self) -> None:
        """Take what the process has now into account; one that has ended changes nothing."""
        now = self._by_proc() if self._root != ROOT or sys.platform == "linux" else _by_psutil(self._pid)
        self._peak = higher(self._peak, now)

    def _by_proc(self) -> Peak | None:
        sizes: dict[str, int] = {}
        for line in read_text(self._root / f"proc/{self._pid}/status").splitlines():
            key, _, rest = line.partition(":")
            number = rest.split()[:1]
            if key in ("VmHWM", "RssAnon") and number and number[0].isdigit():
                sizes[key] = int(number[0]) * _KIB
        return Peak(sizes["VmHWM"], sizes.get("RssAnon")) if "VmHWM" in sizes else None


def peak_of(process: int | None) -> Peak | None:
    """The highest memory of a process so far; None where it is unknown, or not of this machine."""
    if process is None:
        return None
    memory = PeakMemory(process)
    memory.look()
    return memory.peak


def higher(one: Peak | None, other: Peak | None) -> Peak | None:
    """The higher of each value."""
    if one is None or other is None:
        return one or other
    anonymous = [value for value in (one.anonymous_bytes, other.anonymous_bytes) if value is not None]
    return Peak(max(one.total_bytes, other.total_bytes), max(anonymous, default=None))


def _by_psutil(pid: int) -> Peak | None:
    import psutil

    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return None
    return Peak(int(getattr(memory, "peak_wset", memory.rss)), None)
