"""How many processor cores this process may keep busy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from phicli.hardware.cgroup import ROOT, groups_of, read_number, read_text


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
    usable = sorted(_affinity() if affinity is None else set(affinity))
    cores = len({_core_of(number, root) for number in usable})
    quota = _quota(root)
    return max(1, cores if quota is None else min(cores, int(quota)))


def _affinity() -> set[int]:
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


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
            numbers = [int(part) for part in parts if part.isdigit()] if len(parts) == 2 else []
        else:
            pair = (read_number(level / "cpu.cfs_quota_us"), read_number(level / "cpu.cfs_period_us"))
            numbers = [number for number in pair if number is not None]
        if len(numbers) == 2 and numbers[0] > 0 and numbers[1] > 0:
            quotas.append(numbers[0] / numbers[1])
    return min(quotas, default=None)


def _psutil_cores() -> int:
    import psutil

    try:
        cores = psutil.cpu_count(logical=False)
    except (OSError, psutil.Error, RuntimeError):
        cores = None
    return max(1, int(cores or os.cpu_count() or 1))
