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
    """Whether the process crashed, and was not ended from outside. Windows has codes above 255 for crashes."""
    return code is not None and (-code in _FAULTS or code > 0xFF)


def lacks_memory(code: int | None, reason: str) -> bool:
    """Whether the process lacked memory, or was killed, most likely for that. ``reason`` is the engine's message."""
    return code == KILLED or is_of_memory(reason)


def signal_name(number: int) -> str:
    """The name of a signal: ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def how_it_crashed(code: int) -> str:
    """The signal that ended the process, or its exit code on Windows, in words."""
    return f"crashed with {signal_name(-code)}" if code < 0 else f"crashed with the code {code:#x}"
