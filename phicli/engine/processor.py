"""The name of the processor, as the system reports it. A chat waits for this module, so it imports little."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_HEAD_BYTES: Final = 1 << 13
_NUMBERS: Final = ("cpu family", "model", "stepping", "CPU implementer", "CPU variant", "CPU part")
"""Virtual machines report one name for several generations of processors."""


def processor_name(cpuinfo: Path = _CPUINFO, platform: str = sys.platform) -> str:
    """The system's name of the processor, equal on machines that can share kernels; empty where it is unknown.

    Args:
        cpuinfo: Linux's file about the processor; if it does not exist, the variable of Windows is used.
        platform: ``sys.platform`` of the machine.
    """
    if platform == "darwin":
        return _apple_name()
    try:
        with cpuinfo.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode(errors="replace")
    except OSError:
        return os.environ.get("PROCESSOR_IDENTIFIER", "").strip()
    facts: dict[str, str] = {}
    for line in head.splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), " ".join(value.split()))
    numbers = ", ".join(f"{key.removeprefix('CPU ')} {facts[key]}" for key in _NUMBERS if facts.get(key))
    name = facts.get("model name", "")
    return f"{name} ({numbers})" if name and numbers else name or numbers


def _apple_name() -> str:
    import ctypes

    libc, text, size = ctypes.CDLL(None), ctypes.create_string_buffer(256), ctypes.c_size_t(256)
    failed = libc.sysctlbyname(b"machdep.cpu.brand_string", text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return "" if failed else text.value.decode(errors="replace")
