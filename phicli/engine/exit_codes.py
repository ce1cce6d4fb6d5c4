"""How a process of the engine ended, by its exit code."""

from __future__ import annotations

import signal
from typing import Final

from phicli.engine.reasons import is_of_memory

KILLED: Final = -int(getattr(signal, "SIGKILL", 9))  # Windows has no such signal, and no such exit codes
_FAULTS: Final = {
    int(getattr(signal, name))
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP")
    if hasattr(signal, name)
}


def crashed(code: int | None) -> bool:
    """It went down by a fault of its own: nobody ended it. Windows has codes beyond a byte for that."""
    return code is not None and (-code in _FAULTS or code > 0xFF)


def lacks_memory(code: int | None, reason: str) -> bool:
    """It found no memory, or was killed, most likely for that; ``reason`` are the engine's own words."""
    return code == KILLED or is_of_memory(reason)


def signal_name(number: int) -> str:
    """The name of a signal: ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def how_it_crashed(code: int) -> str:
    """The signal that ended it, or the code that Windows has for that."""
    return f"crashed with {signal_name(-code)}" if code < 0 else f"crashed with the code {code:#x}"
