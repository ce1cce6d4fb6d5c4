"""Which model ``phi chat`` means when none is named."""

from __future__ import annotations

import contextlib

from phicli.errors import UsageError
from phicli.paths import state_dir, write_atomically

_FILE = "last_model"


def last_used() -> str:
    """The model that was last talked to.

    Raises:
        UsageError: there was none yet.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if name := (state_dir() / _FILE).read_text(encoding="utf-8").strip():
            return name
    raise UsageError("no model was given", "tiny-phi needs no download: phi chat tiny-phi")


def remember_last_used(name: str) -> None:
    """Remember ``name``; where the state directory cannot be written, nothing is remembered."""
    with contextlib.suppress(OSError, UnicodeError):
        state_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(state_dir() / _FILE, f"{name}\n".encode())
