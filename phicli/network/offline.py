"""Whether the environment forbids the network."""

from __future__ import annotations

import os
from typing import Final

_VARIABLES: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_OFF: Final = frozenset({"0", "false", "no", "off"})


def offline_variable() -> str | None:
    """The variable that switches the network off, None where none does; the first that is set counts."""
    name = next((name for name in _VARIABLES if os.environ.get(name)), None)
    return name if name and os.environ[name].strip().lower() not in _OFF else None
