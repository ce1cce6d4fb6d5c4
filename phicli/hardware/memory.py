"""How much memory there is to use, containers included (psutil reports the host even inside one)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from phicli.hardware.available import Memory
from phicli.hardware.cgroup import NO_LIMIT, ROOT, Groups, groups_of, read_number, read_text

_KIB: Final = 1024
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Interface:
    """The names that one version of control groups has for the same things; ``files`` to ``other`` in ``memory.stat``.

    ``files`` are the lists of file pages, without shared memory (``shmem``, ``tmpfs``) and without locked pages, which
    stand in lists of their own; ``unwritten`` are those that must be written to the disk before they can be dropped.
    """

    limits: tuple[str, ...]
    used: str
    files: tuple[str, ...]
    unwritten: tuple[str, ...]
    other: tuple[str, ...] = ()


_V1: Final = _Interface(
    ("memory.limit_in_bytes",), "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"), ("total_dirty", "total_writeback"),
)  # fmt: skip
_V2: Final = _Interface(
    ("memory.max", "memory.high"), "memory.current",
    ("active_file", "inactive_file"), ("file_dirty", "file_writeback"), ("slab_reclaimable",),
)  # fmt: skip
_ARC_EVICTABLE: Final = (
    "mru_evictable_data", "mru_evictable_metadata", "mfu_evictable_data", "mfu_evictable_metadata",
)  # fmt: skip


def available_memory(root: Path = ROOT) -> Memory | None:
    """Memory of this machine or container, or None when it is unknown.

    available = min(MemAvailable, limit - (used - reclaimable)) over every level of the control groups. Reclaimable is
    what the kernel drops, without swap, before a limit stops a program: pages of files, those in active use as well
    (the weights of a model that just ran are such), and caches of the file system, as far as the interface names them
    (version 1 does not). A limit alone is enough to know. Tried in groups of version 1 of Linux 6.18: 1.7 GiB of
    active pages and 174 MiB of the kernel's own caches made room for a program that needed it, 0.8 GiB in ``tmpfs``
    did not.

    Args:
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
    """
    host = _host(root)
    groups = groups_of("memory", root)
    memory = host
    for place, level in enumerate(groups.levels if groups else ()):
        assert groups is not None  # noqa: S101 (there are no levels without it)
        found = _limit(level, groups)
        if found is None or (host is not None and found[0] >= host.total_bytes):
            continue
        limit, name = found
        left = _left(limit, level, groups)
        total = limit if memory is None else min(memory.total_bytes, limit)
        if memory is None or left < memory.available_bytes:
            above = " of a parent group" if place else ""
            memory = Memory(total, left, f"container limit (cgroup v{groups.version} {name}{above})", limited=True)
        else:
            memory = replace(memory, total_bytes=total)
    return memory


def _host(root: Path) -> Memory | None:
    if root != ROOT or sys.platform == "linux":
        memory = _meminfo(read_text(root / "proc/meminfo"))  # psutil reads the same, and stumbles over garbage
        return memory and _with_arc(memory, _pairs(read_text(root / "proc/spl/kstat/zfs/arcstats"), 2))
    if sys.platform == "darwin":
        from phicli.hardware import apple
        from phicli.hardware.commands import SYSTEM

        return apple.memory(SYSTEM) or _psutil()
    return _psutil()


def _meminfo(text: str) -> Memory | None:
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and _NUMBER.fullmatch(number[0]):
            sizes[key] = int(number[0]) * _KIB
    total = sizes.get("MemTotal", 0)
    kept = sum(sizes.get(key, 0) for key in ("Shmem", "Mlocked"))  # these are in Cached, and nobody drops them
    before_3_14 = sum(sizes.get(key, 0) for key in ("MemFree", "Buffers", "Cached")) - kept
    available = sizes.get("MemAvailable", max(before_3_14, sizes.get("MemFree", 0)))
    return Memory(total, min(available, total), "/proc/meminfo") if 0 < total < NO_LIMIT else None


def _with_arc(memory: Memory, arc: Mapping[str, int]) -> Memory:
    """With what the cache of ZFS gives back: it is not page cache, so MemAvailable takes it for used."""
    evictable = min(sum(arc.get(key, 0) for key in _ARC_EVICTABLE), arc.get("size", 0) - arc.get("c_min", 0))
    if evictable <= 0:
        return memory
    available = min(memory.available_bytes + evictable, memory.total_bytes)
    return replace(memory, available_bytes=available, source=f"{memory.source}, ZFS arcstats")


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


def _limit(level: Path, groups: Groups) -> tuple[int, str] | None:
    """The tightest limit of one level in bytes, and the file or line that names it; None without any."""
    names = _of(groups).limits
    limits = [(limit, name) for name in names if (limit := read_number(level / name)) is not None]
    if groups.version == 1:
        above = _stat(level).get("hierarchical_memory_limit")  # levels that a container cannot see
        limits += [(above, "hierarchical_memory_limit")] if above is not None and above < NO_LIMIT else []
    return min(limits, default=None, key=lambda found: found[0])


def _left(limit: int, level: Path, groups: Groups) -> int:
    """Bytes that may still be taken on this level; all of ``limit`` when it does not say what is used."""
    names, used = _of(groups), read_number(level / _of(groups).used)
    if used is None:
        return limit
    stat = _stat(level)

    def bytes_of(keys: Iterable[str]) -> int:
        return sum(stat.get(key, 0) for key in keys)

    reclaimable = max(0, bytes_of(names.files) - bytes_of(names.unwritten)) + bytes_of(names.other)
    return max(0, limit - max(0, used - reclaimable))


def _of(groups: Groups) -> _Interface:
    return _V1 if groups.version == 1 else _V2


def _stat(level: Path) -> Mapping[str, int]:
    return _pairs(read_text(level / "memory.stat"), 1)


def _pairs(text: str, column: int) -> Mapping[str, int]:
    """First word → number in ``column`` of each line that has so many words."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[column]) for row in rows if len(row) == column + 1 and _NUMBER.fullmatch(row[column])}
