"""How many processor cores this process may keep busy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from phicli.hardware.cgroup import ROOT, groups_of, read_number, read_text

_MOST_PROCESSORS: Final = 1 << 16


def physical_cores(root: Path = ROOT, affinity: Iterable[int] | None = None) -> int:
    """Physical cores within the process's affinity and the container's quota; at least 1.

    Two threads of one core share its arithmetic units, so a second one does not help decoding. A quota of 1.5
    processors gives 1: with more threads than quota all of them wait for the one that was stopped.

    Args:
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
        affinity: numbers of the logical processors that may be used; those of this process when None.
    """
    if root == ROOT and sys.platform != "linux":
        return _psutil_cores()
    usable = sorted(usable_processors(root) if affinity is None else set(affinity))
    cores = len({_core_of(number, root) for number in usable})
    quota = _quota(root)
    return max(1, cores if quota is None else min(cores, int(quota)))


def usable_processors(root: Path = ROOT) -> set[int]:
    """Numbers of the logical processors that this process may run on; never empty.

    Of a folder that stands for a machine, those of its ``/proc/self/status``, else those that ``/sys`` says are there.
    """
    if root == ROOT and sys.platform == "linux":
        return os.sched_getaffinity(0)
    if root != ROOT:
        status = dict(line.partition(":")[::2] for line in read_text(root / "proc/self/status").splitlines())
        allowed = status.get("Cpus_allowed_list", "") or read_text(root / "sys/devices/system/cpu/present")
        found = numbers_in(allowed)
        if found:
            return found
    return set(range(os.cpu_count() or 1))


def numbers_in(text: str) -> set[int]:
    """The members of a kernel list such as ``0-3,8``; what is not a number is left out."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.strip().partition("-")
        if first.isdecimal() and (last or first).isdecimal() and int(last or first) < _MOST_PROCESSORS:
            found.update(range(int(first), int(last or first) + 1))
    return found


def _core_of(number: int, root: Path) -> str:
    """A name that is the same for logical processors of one physical core."""
    topology = root / f"sys/devices/system/cpu/cpu{number}/topology"
    siblings = read_text(topology / "core_cpus_list") or read_text(topology / "thread_siblings_list")
    return siblings.strip() or f"unknown {number}"


def _quota(root: Path) -> float | None:
    """Processors that the tightest level of the control groups allows; None without a limit."""
    groups = groups_of("cpu", root)
    if groups is None:
        return None
    quotas: list[float] = []
    for level in groups.levels:
        if groups.version == 2:
            parts = read_text(level / "cpu.max").split()
            numbers = [int(part) for part in parts if part.isascii() and part.isdecimal()] if len(parts) == 2 else []
        else:
            pair = (read_number(level / "cpu.cfs_quota_us"), read_number(level / "cpu.cfs_period_us"))
            numbers = [number for number in pair if number is not None]
        if len(numbers) == 2 and numbers[0] > 0 and numbers[1] > 0:
            quotas.append(numbers[0] / numbers[1])
    return min(quotas, default=None)


def _psutil_cores() -> int:
    try:
        import psutil
    except ImportError:  # its compiled part may not be there
        return max(1, os.cpu_count() or 1)
    try:
        cores = psutil.cpu_count(logical=False)
    except (OSError, psutil.Error, RuntimeError, ValueError, KeyError):
        cores = None
    return max(1, int(cores or os.cpu_count() or 1))
