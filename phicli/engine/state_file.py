"""The file that llama.cpp's server writes the state of a slot to: its tokens, and whether it is complete."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from phicli.errors import EngineError

_MAGIC: Final = 0x67677371  # "ggsq", a sequence and its state (llama.cpp's include/llama.h)
_HEAD: Final = struct.Struct("<III")
_PACKED: Final = (-1, 1)
"""What a list of tokens begins with that is packed, and the version of that; before, it was the ids and no more."""


def make_private(path: Path) -> None:
    """Create an empty file that only this user may read; the engine then writes into it.

    Raises:
        OSError: the file cannot be created.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(path, flags, 0o600))


def saved_ids(path: Path, written_bytes: int) -> tuple[int, ...]:
    """The token ids in the state at ``path``, to which the engine reports to have written ``written_bytes``.

    The engine does not notice a disk that is full when the file is closed, so its size is compared.

    Raises:
        EngineError: the file is not complete, or not of a known format.
        OSError: it cannot be read.
    """
    if path.stat().st_size != written_bytes:
        raise _useless("it is not complete")
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        magic, _, count = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0, 0)
        if magic != _MAGIC or _HEAD.size + 4 * count > written_bytes:
            raise _useless("its format is unknown")
        words = struct.unpack(f"<{count}i", file.read(4 * count))
    if words[:2] != _PACKED:
        return words
    ids = words[3 : 3 + words[2]] if count > 2 else ()
    if count < 3 or len(ids) != words[2]:
        raise _useless("its format is unknown")
    return ids


def _useless(why: str) -> EngineError:
    return EngineError(f"the state that the engine saved cannot be used: {why}", "run the command again")
