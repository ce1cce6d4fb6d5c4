"""Lines of a file of any size, read in one pass with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

LONGEST_LINE_BYTES: Final = 16 << 20
"""A longer line is not read: no context of the family holds its tokens."""
_STEP_BYTES: Final = 1 << 20

OnBytes = Callable[[int], None]
"""Is given the number of bytes that were read so far."""


def ignore_bytes(_: int) -> None:
    """Nobody wants to know how far it is."""


def lines_of(
    file: BinaryIO, on_bytes: OnBytes = ignore_bytes, *, longest: int = LONGEST_LINE_BYTES
) -> Iterator[tuple[int, bytes | None, int]]:
    """Number, content and size in bytes of each line; the content of one that is too long is None.

    The content has its line end, where it has one.
    """
    number = done = 0
    told = -_STEP_BYTES
    read = file.readline
    while data := read(longest + 1):
        number += 1
        size = len(data)
        if size > longest and not data.endswith(b"\n"):
            while rest := read(_STEP_BYTES):
                size += len(rest)
                if rest.endswith(b"\n"):
                    break
                on_bytes(done + size)
            done += size
            yield number, None, size
        else:
            done += size
            yield number, data, size
        if done - told >= _STEP_BYTES:
            on_bytes(done)
            told = done
    on_bytes(done)
