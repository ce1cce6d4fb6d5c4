"""What macOS says about its processor, memory and graphics, by ``sysctl`` and ``vm_stat``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from phicli.hardware.commands import Commands
from phicli.hardware.types import Cpu, Memory

LIMIT_S: Final = 2.0
_KEYS: Final = (
    "machdep.cpu.brand_string", "machdep.cpu.features", "machdep.cpu.leaf7_features", "hw.memsize", "hw.physicalcpu",
    "hw.logicalcpu", "hw.l2cachesize", "hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.cpufrequency_max",
    "hw.optional.arm64", "hw.optional.arm.FEAT_DotProd", "hw.optional.arm.FEAT_I8MM", "hw.optional.arm.FEAT_BF16",
    "hw.optional.arm.FEAT_SME", "iogpu.wired_limit_mb",
)  # fmt: skip
_SETS: Final = {
    "hw.optional.arm64": "NEON", "hw.optional.arm.FEAT_DotProd": "DOTPROD", "hw.optional.arm.FEAT_I8MM": "I8MM",
    "hw.optional.arm.FEAT_BF16": "BF16", "hw.optional.arm.FEAT_SME": "SME",
}  # fmt: skip
_INTEL_SETS: Final = {"SSE4.2": "SSE4_2", "AVX1.0": "AVX", "AVX2": "AVX2", "AVX512F": "AVX512F"}
# Highest clock (Hz) of the performance cores, which macOS does not report. Sources: Apple's tools, public tests.
_CLOCKS: Final = {"Apple M1": 3.2e9, "Apple M2": 3.5e9, "Apple M3": 4.05e9, "Apple M4": 4.4e9}
_MIB: Final = 1 << 20
_LARGE_BYTES: Final = 36 << 30  # a log of an M3 Pro with 36 GiB: recommendedMaxWorkingSetSize = 28991.03 MB
_WIRED_SMALL: Final = 2 / 3
_WIRED_LARGE: Final = 3 / 4


def settings(run: Commands) -> dict[str, str]:
    """The values of ``sysctl`` that matter here; those that this version lacks are missing."""
    lines = run(["sysctl", *_KEYS], LIMIT_S).text.splitlines()  # it fails when one key is unknown, and tells the rest
    pairs = (line.split(": ", 1) for line in lines)
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def describe_cpu(values: Mapping[str, str], cores: int, processors: int) -> tuple[Cpu, str]:
    """The processor, and where its name came from; ``cores`` and ``processors`` stand in where sysctl is silent."""
    name = values.get("machdep.cpu.brand_string", "")
    words = f"{values.get('machdep.cpu.features', '')} {values.get('machdep.cpu.leaf7_features', '')}".split()
    sets = [ours for key, ours in _SETS.items() if values.get(key) == "1"]
    sets += [ours for word, ours in _INTEL_SETS.items() if word in words]
    caches = ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")
    cpu = Cpu(
        name=name or "unknown processor",
        physical_cores=number(values, "hw.physicalcpu") or cores,
        logical_cores=number(values, "hw.logicalcpu") or processors,
        instruction_sets=tuple(sets),
        last_level_cache_bytes=next((size for key in caches if (size := number(values, key))), None),
        clock_hz=_CLOCKS.get(name[:8]) or number(values, "hw.cpufrequency_max"),
    )
    return cpu, "sysctl" if name else "sysctl did not answer"


def number(values: Mapping[str, str], key: str) -> int | None:
    """A positive whole number among the values; None if it is not one."""
    text = values.get(key, "")
    return int(text) if text.isdecimal() and len(text) < 19 and int(text) > 0 else None


def memory(run: Commands, *, guess: bool = False) -> Memory | None:
    """Main memory by sysctl and vm_stat; None when one of them is silent.

    Available are the pages that are free, those of files in whichever use (``File-backed pages`` has the speculative
    ones too), and the purgeable ones. What psutil calls available has every inactive page, also of programs, which
    would have to be compressed or pushed out to swap, and none of the file pages that are active.

    Args:
        run: starts programs.
        guess: take half of the memory for available where vm_stat is silent.
    """
    total = number(settings(run), "hw.memsize")
    if total is None:
        return None
    text = run(["vm_stat"], LIMIT_S).text
    page = re.search(r"page size of (\d{4,6}) bytes", text)
    counts = re.findall(r"^(?:Pages free|Pages purgeable|File-backed pages): +(\d{1,15})\.$", text, re.MULTILINE)
    if page is not None and len(counts) == 3:
        return Memory(total, min(total, int(page[1]) * sum(map(int, counts))), "sysctl, vm_stat")
    silent = "sysctl; half of it is assumed to be available, because vm_stat did not answer"
    return Memory(total, total // 2, silent) if guess else None


def graphics_limit(values: Mapping[str, str]) -> tuple[int, str] | None:
    """Bytes of main memory that the graphics processor may hold, and where that came from; None on Intel machines.

    Without a setting macOS allows about two thirds on machines below 36 GiB, and three quarters from 36 GiB on.
    """
    total = number(values, "hw.memsize")
    if total is None or values.get("hw.optional.arm64") != "1":
        return None
    limit = number(values, "iogpu.wired_limit_mb")
    if limit is not None:
        return min(total, limit * _MIB), "sysctl iogpu.wired_limit_mb"
    return usual_graphics_bytes(total), "sysctl hw.memsize, and the share that macOS allows"


def usual_graphics_bytes(total: int) -> int:
    """The part of ``total`` bytes of main memory that macOS allows for graphics without a setting."""
    return int(total * (_WIRED_SMALL if total < _LARGE_BYTES else _WIRED_LARGE))
