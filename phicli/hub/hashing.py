"""The hash of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

_READ_BYTES: Final = 1 << 22


def sha256_of(path: Path, *, on_bytes: Callable[[int, int], None] | None = None) -> str:
    """SHA-256 of the file at ``path``, 64 hexadecimal digits.

    ``on_bytes`` is told, again and again, how many bytes were read, of how many.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    total = path.stat().st_size
    done = 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done, total)
    return digest.hexdigest()
