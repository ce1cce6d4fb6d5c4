"""What kind of processor this is: its name, what it can compute with, its cache and its clock."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from phicli.hardware import apple, windows
from phicli.hardware.arm_cores import core_of
from phicli.hardware.cgroup import ROOT, read_number, read_text
from phicli.hardware.commands import SYSTEM, Commands
from phicli.hardware.cpu import numbers_in, physical_cores, usable_processors
from phicli.hardware.types import Cpu

# /proc/cpuinfo's word → ours. Sources: the kernel's arch/x86/include/asm/cpufeatures.h, arch/arm64/kernel/cpuinfo.c.
_SETS: Final = {
    "sse4_2": "SSE4_2", "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512F", "avx512_vnni": "AVX512_VNNI", "avx512_bf16": "AVX512_BF16", "avx512vbmi": "AVX512_VBMI",
    "amx_int8": "AMX",
    "asimd": "NEON", "neon": "NEON", "asimdhp": "FP16", "asimddp": "DOTPROD", "i8mm": "I8MM", "bf16": "BF16",
    "sve": "SVE", "sve2": "SVE2", "sme": "SME",
}  # fmt: skip
_EFFICIENCY_CORES: Final = "sys/devices/cpu_atom/cpus"  # where the kernel lists those of hybrid Intel processors
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "": 1}


def describe_cpu(
    root: Path = ROOT, platform: str = sys.platform, run: Commands = SYSTEM, affinity: Iterable[int] | None = None
) -> tuple[Cpu, str]:
    """The processor as this process may use it, and where its name came from.

    Args:
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
        platform: ``sys.platform`` of the machine.
        run: starts programs (``sysctl`` on macOS).
        affinity: numbers of the logical processors that may be used; those of this process when None.
    """
    usable = sorted(usable_processors(root) if affinity is None else set(affinity))
    cores = physical_cores(root, usable)
    if platform == "darwin":
        return apple.describe_cpu(apple.settings(run), cores, len(usable))
    if platform == "win32":
        name, sets = windows.processor_name(), windows.instruction_sets()
        return Cpu(name or "unknown processor", cores, len(usable), sets), "Windows" if name else "no source"
    return _linux(root, usable, cores)


def _linux(root: Path, usable: list[int], cores: int) -> tuple[Cpu, str]:
    facts = cpuinfo(read_text(root / "proc/cpuinfo"))
    words = facts.get("flags", facts.get("Features", "")).split()
    core = core_of(facts.get("CPU implementer", ""), facts.get("CPU part", ""))
    board = facts.get("Model") or read_text(root / "proc/device-tree/model").split("\0")[0].strip()
    name, source = facts.get("model name", ""), "/proc/cpuinfo"
    if not name or core:  # 32-bit ARM kernels say "ARMv7 Processor rev 3 (v7l)", which names no core
        parts = [part for part in (board, core.name if core else "") if part]
        name = f"{parts[0]} ({parts[1]})" if len(parts) == 2 else "".join(parts) or name
    if not name:
        name, source = "unknown processor", "no /proc" if not (root / "proc").is_dir() else "/proc/cpuinfo has no name"
    clock, nominal = _clock(root, usable, facts)
    cpu = Cpu(
        name=" ".join(name.split()),
        physical_cores=cores,
        logical_cores=len(usable),
        instruction_sets=tuple(dict.fromkeys(ours for word, ours in _SETS.items() if word in words)),
        last_level_cache_bytes=_last_level_cache(root, usable),
        clock_hz=clock or (core.clock_hz if core else None),
        nominal_clock=nominal,
        efficiency_cores=_efficiency_cores(root, usable, cores),
    )
    return cpu, source


def _efficiency_cores(root: Path, usable: list[int], cores: int) -> int:
    """How many of ``cores`` have to be efficiency cores: those that the performance cores do not make up for."""
    slow = numbers_in(read_text(root / _EFFICIENCY_CORES))
    fast = [number for number in usable if number not in slow]
    return cores - physical_cores(root, fast) if fast else cores


def cpuinfo(text: str) -> dict[str, str]:
    """The facts of the first processor in ``/proc/cpuinfo``, and those that come after all processors (``Model``)."""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            facts.setdefault(key.strip(), value.strip())
    return facts


def _last_level_cache(root: Path, usable: list[int]) -> int | None:
    """The sum over the caches of the highest level that the usable processors look into; None when it is unknown."""
    found: dict[tuple[int, str], int] = {}
    for number in usable:
        for index in sorted((root / f"sys/devices/system/cpu/cpu{number}/cache").glob("index*")):
            level, size = read_number(index / "level"), _size(read_text(index / "size"))
            if level and size and read_text(index / "type").strip() != "Instruction":
                shared = read_text(index / "shared_cpu_list").strip() or f"only {number}"
                found[level, shared] = size
    last = max((level for level, _ in found), default=0)
    return sum(size for (level, _), size in found.items() if level == last) or None


def _size(text: str) -> int | None:
    match = re.fullmatch(r"(\d{1,9})([KMG]?)", text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def _clock(root: Path, usable: list[int], facts: dict[str, str]) -> tuple[float | None, bool]:
    """The highest clock (Hz) of the fastest usable core, and whether it is the nominal one.

    Virtual machines hide the highest clock and tell the nominal one in ``/proc/cpuinfo``.
    """
    files = (f"sys/devices/system/cpu/cpu{number}/cpufreq/cpuinfo_max_freq" for number in usable)
    limits = [khz for file in files if (khz := read_number(root / file))]
    match = re.fullmatch(r"\d{2,5}(\.\d+)?", facts.get("cpu MHz", ""))
    if limits:
        return max(limits) * 1e3, False
    return (float(match[0]) * 1e6, True) if match else (None, False)
