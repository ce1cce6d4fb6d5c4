"""Names of ARM cores, which ``/proc/cpuinfo`` gives as two numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ArmCore:
    """A core design and the clock (Hz) that it usually runs at, for machines that do not report theirs."""

    name: str
    clock_hz: float | None = None


# (implementer, part) as in the Main ID Register. Sources: arch/arm64/include/asm/cputype.h of the kernel, lscpu;
# clocks are the vendors' for the usual machine: Raspberry Pi 3 to 5, Graviton 2 to 4, Ampere Altra, Apple M1 to M2.
_CORES: Final = {
    ("0x41", "0xd03"): ArmCore("Cortex-A53", 1.4e9),
    ("0x41", "0xd05"): ArmCore("Cortex-A55"),
    ("0x41", "0xd07"): ArmCore("Cortex-A57"),
    ("0x41", "0xd08"): ArmCore("Cortex-A72", 1.8e9),
    ("0x41", "0xd0b"): ArmCore("Cortex-A76", 2.4e9),
    ("0x41", "0xd41"): ArmCore("Cortex-A78"),
    ("0x41", "0xd42"): ArmCore("Cortex-A78AE", 2.2e9),
    ("0x41", "0xd0c"): ArmCore("Neoverse-N1", 2.5e9),
    ("0x41", "0xd40"): ArmCore("Neoverse-V1", 2.6e9),
    ("0x41", "0xd49"): ArmCore("Neoverse-N2", 2.7e9),
    ("0x41", "0xd4f"): ArmCore("Neoverse-V2", 2.8e9),
    ("0x61", "0x022"): ArmCore("Apple M1", 3.2e9),
    ("0x61", "0x023"): ArmCore("Apple M1", 3.2e9),
    ("0x61", "0x032"): ArmCore("Apple M2", 3.5e9),
    ("0x61", "0x033"): ArmCore("Apple M2", 3.5e9),
    ("0x51", "0x001"): ArmCore("Qualcomm Oryon", 3.4e9),
    ("0xc0", "0xac3"): ArmCore("Ampere-1", 3.0e9),
}


def core_of(implementer: str, part: str) -> ArmCore | None:
    """The core of these numbers, as ``/proc/cpuinfo`` writes them; None when the table lacks it."""
    return _CORES.get((implementer.lower(), part.lower()))
