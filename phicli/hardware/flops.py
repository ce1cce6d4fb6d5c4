"""Estimates how fast the processor computes, from what it is rather than from a measurement."""

from __future__ import annotations

from typing import Final

from phicli.hardware.types import Cpu

USUAL_CLOCK_HZ: Final = 2.5e9
"""Where the system does not report it."""

_WIDE_ARM: Final = ("Apple", "Neoverse-V", "Oryon")


def estimated_flops(cpu: Cpu) -> tuple[float, str]:
    """32-bit operations per second, a multiply-add counting twice, and the sum in words.

    cores x clock x operations per cycle. An operation count follows from the vector units: AVX2 has two of eight lanes
    (32), AVX two of eight lanes that multiply or add (16), ARM from Cortex-A76 on two of four lanes (16), Apple's
    and the widest ARM cores four (32), older ones one (8). AVX-512 counts as AVX2: the engine's published packages
    do not use it (xllamacpp's page: "AVX-512 or AMX are not used"), and client cores split it in two anyway.
    """
    clock = cpu.clock_hz or USUAL_CLOCK_HZ
    per_cycle = _per_cycle(cpu)
    said = "" if cpu.clock_hz else " (assumed)"
    words = f"{cpu.physical_cores} cores x {clock / 1e9:.1f} GHz{said} x {per_cycle} operations per cycle"
    return cpu.physical_cores * clock * per_cycle, words


def _per_cycle(cpu: Cpu) -> int:
    sets = set(cpu.instruction_sets)
    if "NEON" in sets:
        if any(word in cpu.name for word in _WIDE_ARM):
            return 32
        return 16 if "DOTPROD" in sets else 8
    return 32 if "AVX2" in sets else 16 if "AVX" in sets else 8
