"""What Windows says about its processor; empty answers on other systems."""

from __future__ import annotations

import os
import sys
from typing import Final

# Numbers of IsProcessorFeaturePresent. Source: winnt.h.
_FEATURES: Final = {38: "SSE4_2", 39: "AVX", 40: "AVX2", 41: "AVX512F", 19: "NEON", 43: "DOTPROD"}
_KEY: Final = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"


def processor_name() -> str:
    """The registry's ``ProcessorNameString``, else the variable ``PROCESSOR_IDENTIFIER``; empty without either."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _KEY) as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        except OSError:
            pass
    return os.environ.get("PROCESSOR_IDENTIFIER", "").strip()


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets that matter for speed, as far as Windows reports them."""
    if sys.platform != "win32":
        return ()
    import ctypes

    present = ctypes.windll.kernel32.IsProcessorFeaturePresent
    return tuple(name for number, name in _FEATURES.items() if present(number))
