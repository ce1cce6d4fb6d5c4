"""How much memory there is to use, containers included (psutil reports the host even inside one)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from phicli.hardware.available import Memory
from phicli.hardware.cgroup import NO_LIMIT, ROOT, Groups, groups_of, read_number, read_text

_KIB: Final = 1024
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_V1_LIMITS: Final = ("memory.limit_in_bytes",)
_V2_LIMITS: Final = ("memory.max", "memory.high")


def available_memory(root: Path = ROOT) -> Memory | None:
    """Memory of this machine or container, or None when it is unknown.

    available = min(MemAvailable, limit - (used - inactive file pages)) over every level of the control groups: pages
    of files that nobody used lately are given back when memory is asked for. A limit alone is enough to know.

    Args:
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
    """
    host = _host(root)
    groups = groups_of("memory", root)
    if groups is None:
        return host
    memory = host
    for level in groups.levels:
        limit, free = _limit(level, groups), _free(level, groups)
        if limit is None or (host is not None and limit >= host.total_bytes):
            continue
        left = max(0, limit if free is None else free)
        memory = Memory(
            total_bytes=limit if memory is None else min(memory.total_bytes, limit),
            available_bytes=left if memory is None else min(memory.available_bytes, left),
            source=f"container limit (cgroup v{groups.version})",
        )
    return memory


def _host(root: Path) -> Memory | None:
    if root != ROOT or sys.platform == "linux":
        return _meminfo(read_text(root / "proc/meminfo"))  # psutil reads the same, and stumbles over garbage
    return _psutil()


def _meminfo(text: str) -> Memory | None:
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and _NUMBER.fullmatch(number[0]):
            sizes[key] = int(number[0]) * _KIB
    total = sizes.get("MemTotal", 0)
    before_3_14 = sum(sizes.get(key, 0) for key in ("MemFree", "Buffers", "Cached"))
    available = sizes.get("MemAvailable", before_3_14)
    return Memory(total, min(available, total), "/proc/meminfo") if 0 < total < NO_LIMIT else None


def _psutil() -> Memory | None:
    try:
        import psutil
    except ImportError:  # its compiled part may not be there
        return None
    try:
        memory = psutil.virtual_memory()
    except (OSError, psutil.Error, RuntimeError, ValueError, KeyError):
        return None
    return Memory(int(memory.total), int(memory.available), "psutil")


def _limit(level: Path, groups: Groups) -> int | None:
    names = _V1_LIMITS if groups.version == 1 else _V2_LIMITS
    limits = [limit for name in names if (limit := read_number(level / name)) is not None]
    if groups.version == 1:
        above = _stat(level).get("hierarchical_memory_limit")  # levels that a container cannot see
        limits += [above] if above is not None and above < NO_LIMIT else []
    return min(limits, default=None)


def _free(level: Path, groups: Groups) -> int | None:
    """Bytes that may still be taken on this level; None when it does not say what is used."""
    limit = _limit(level, groups)
    used = read_number(level / ("memory.usage_in_bytes" if groups.version == 1 else "memory.current"))
    if limit is None or used is None:
        return None
    inactive = _stat(level).get("total_inactive_file" if groups.version == 1 else "inactive_file", 0)
    return limit - max(0, used - inactive)


def _stat(level: Path) -> dict[str, int]:
    pairs = (line.split() for line in read_text(level / "memory.stat").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and _NUMBER.fullmatch(pair[1])}
