"""Checks in about a millisecond whether processor, cores and engine are those of an earlier time.

Naming them takes tens of milliseconds, most of it imports, and a chat that only wants to know whether what was tuned
still holds should not wait for that.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from phicli.engine.package import engine_folder
from phicli.engine.used_kernels import installed_kernels

_CPUINFO: Final = Path("/proc/cpuinfo")
_HEAD_BYTES: Final = 1 << 13
_CHANGING: Final = ("cpu MHz", "bogomips", "BogoMIPS")


def machine_mark() -> str | None:
    """A digest of what the processor says of itself, the cores that may be used, the engine's version and kernels.

    None where the version is not in a file name, as it is for every installed wheel.
    """
    from phicli.hardware.cpu import physical_cores

    engine = engine_folder()
    if engine is None:
        return None
    kernels = installed_kernels().kernels
    facts = f"{_processor()}\n{physical_cores()}\n{engine}" + (f"\n{kernels.variant}" if kernels else "")
    return hashlib.sha256(facts.encode(errors="replace")).hexdigest()[:32]


def _processor() -> str:
    """The facts of the first processor that do not change from moment to moment; elsewhere what the system reports."""
    try:
        with _CPUINFO.open("rb") as file:
            first = file.read(_HEAD_BYTES).decode(errors="replace").split("\n\n")[0]
    except OSError:
        release = os.uname().version + os.uname().machine if hasattr(os, "uname") else ""
        return release + os.environ.get("PROCESSOR_IDENTIFIER", "")
    return "\n".join(line for line in first.splitlines() if not line.startswith(_CHANGING))
