"""Estimates how fast the processor computes, from what it is rather than from a measurement."""

from __future__ import annotations

from typing import Final

from phicli.hardware.types import Cpu

USUAL_CLOCK_HZ: Final = 2.5e9
"""Where the system does not report it."""

_APPLE: Final = "Apple"
_WIDE_ARM: Final = ("Neoverse-V", "Oryon")
_NARROW_INTEL: Final = (
    "Intel N",
    "N100",
    "N150",
    "N200",
    "Atom",
    "Celeron",
    "Pentium Silver",
)  # efficiency cores alone


_EFFICIENCY_CORE: Final = 0.4
"""What an efficiency core of a hybrid Intel processor computes, beside a performance core: half of the vector units,
at a lower clock."""


def estimated_flops(cpu: Cpu, *, native: bool = False) -> tuple[float, str]:
    """32-bit operations per second, a multiply-add counting twice, and the sum in words.

    cores x clock x operations per cycle. An operation count follows from the vector units: AVX2 has two of eight lanes
    (32), AVX two of eight lanes that multiply or add (16), ARM from Cortex-A76 on two of four lanes (16), Apple's
    and the widest ARM cores four (32), older ones one (8). On ARM outside of macOS half of it counts: the published
    packages do not use the dot product there, which takes four 8-bit numbers at a time. AVX-512 counts as AVX2: the
    engine's published packages do not use it (xllamacpp's page: "AVX-512 or AMX are not used"), and client cores split
    it in two anyway. Intel's efficiency cores have half of the vector units.

    Args:
        cpu: the processor.
        native: the engine is one that was built for this very processor, as in most published figures.
    """
    clock = cpu.clock_hz or USUAL_CLOCK_HZ
    per_cycle, slow = _per_cycle(cpu, native=native), cpu.efficiency_cores
    cores = cpu.physical_cores - slow * (1 - _EFFICIENCY_CORE)
    said = "" if cpu.clock_hz else " (assumed)"
    counted = f"({cpu.physical_cores - slow} + {slow} x {_EFFICIENCY_CORE:g})" if slow else f"{cpu.physical_cores}"
    words = f"{counted} cores x {clock / 1e9:.1f} GHz{said} x {per_cycle} operations per cycle"
    return cores * clock * per_cycle, words


def _per_cycle(cpu: Cpu, *, native: bool) -> int:
    sets = set(cpu.instruction_sets)
    if "NEON" in sets:
        if _APPLE in cpu.name:
            return 32
        lanes = 32 if any(word in cpu.name for word in _WIDE_ARM) else 16 if "DOTPROD" in sets else 8
        return lanes if native or "DOTPROD" not in sets else lanes // 2
    if "AVX2" in sets and any(word in cpu.name for word in _NARROW_INTEL):
        return 16
    return 32 if "AVX2" in sets else 16 if "AVX" in sets else 8
