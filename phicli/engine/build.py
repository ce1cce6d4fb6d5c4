"""Which engine is installed."""

from __future__ import annotations

import importlib.metadata
from typing import Final

_ENGINE: Final = "xllamacpp"


def engine_build() -> str:
    """The engine and its version, as the engine's own process reports it; ``xllamacpp unknown`` without one."""
    try:
        return f"{_ENGINE} {importlib.metadata.version(_ENGINE)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{_ENGINE} unknown"
