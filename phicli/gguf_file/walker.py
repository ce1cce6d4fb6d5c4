"""Walks the bytes of a GGUF header: scalars are decoded, big arrays are stepped over.

Nothing here trusts the file: every count is held against the bytes that are left before it is used, strings that are
decoded are at most 16 MiB, and the number of values stepped over is limited.
"""

from __future__ import annotations

import mmap
import re
import struct
from array import array
from functools import cache
from itertools import repeat
from typing import Final

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN
from phicli.gguf_file.types import Scalar

STRING: Final = 8
ARRAY: Final = 9
SCALARS: Final = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}

BLOCK: Final = 256
"""Strings between two checkpoints of a string array."""
_LONGEST_STRING: Final = 16 << 20
_LONGEST_ARRAY: Final = 16 << 20
_MOST_STRINGS: Final = 32 << 20
_SHORT: Final = 128
_u64 = struct.Struct("<Q").unpack_from


class Cut(Exception):  # noqa: N818 - a signal between this module and its caller, never shown
    """The bytes end before the header does."""


@cache
def _short_strings() -> re.Pattern[bytes]:
    """A pattern for ``BLOCK`` strings shorter than 128 bytes, each with its 8-byte length before it.

    The regular expression engine steps over 256 strings in one call: 0.05 µs a string against 0.12 µs for a Python
    loop, which counts with 400,000 of them between a command and its first word. Likely lengths come first because
    alternatives are tried in order.
    """
    lengths = sorted(range(_SHORT), key=lambda n: abs(n - 6))
    parts = [b"\\x%02x\\0{7}" % n + (b".{%d}" % n if n else b"") for n in lengths]
    return re.compile(b"(?s:" + b"|".join(parts) + b"){%d}+" % BLOCK)


class Walker:
    """A position in the bytes of a header, and the ways to move it on."""

    __slots__ = ("_strings_left", "data", "pos", "size")

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = data
        self.pos = 0
        self.size = len(data)
        self._strings_left = _MOST_STRINGS

    def u32(self) -> int:
        """The next unsigned 32-bit number."""
        return int(self._number(SCALARS[4]))

    def u64(self) -> int:
        """The next unsigned 64-bit number."""
        return int(self._number(SCALARS[10]))

    def string(self) -> str:
        """The next string, at most 16 MiB; bytes that are not UTF-8 become replacement characters."""
        length = self.u64()
        if length > _LONGEST_STRING:
            raise damaged(f"a string of {length:,} bytes at byte {self.pos - 8:,}")
        end = self.pos + length
        if end > self.size:
            raise Cut
        raw = self.data[self.pos : end]
        self.pos = end
        return raw.decode("utf-8", "replace")

    def scalar(self, kind: int) -> Scalar:
        """The next value of the type ``kind`` (a string or a number)."""
        if kind == STRING:
            return self.string()
        if kind not in SCALARS:
            raise damaged(f"the value type {kind} at byte {self.pos:,}, which does not exist")
        return self._number(SCALARS[kind])

    def array_head(self) -> tuple[int, int]:
        """Type and count of the array that begins here; the count is possible for the size of the file."""
        kind, count = self.u32(), self.u64()
        if kind != STRING and kind not in SCALARS:
            raise damaged(f"an array of the type {kind} at byte {self.pos:,}, which is not allowed")
        if count > _LONGEST_ARRAY:
            raise damaged(f"an array of {count:,} values at byte {self.pos:,}")
        smallest = 8 if kind == STRING else SCALARS[kind].size
        if count * smallest > self.size - self.pos:
            raise Cut
        return kind, count

    def values(self, kind: int, count: int) -> tuple[Scalar, ...]:
        """The next ``count`` values, decoded."""
        return tuple(self.scalar(kind) for _ in range(count))

    def skip(self, kind: int, count: int) -> list[int]:
        """Step over ``count`` values; for strings return the position of every ``BLOCK``-th."""
        if kind == STRING:
            return self._skip_strings(count)
        self.pos += count * SCALARS[kind].size
        return []

    def int32s(self, count: int) -> array[int]:
        """The next ``count`` signed 32-bit numbers."""
        end = self.pos + 4 * count
        if end > self.size:
            raise Cut
        numbers = array("i")
        numbers.frombytes(self.data[self.pos : end])
        if struct.pack("=I", 1) != struct.pack("<I", 1):
            numbers.byteswap()
        self.pos = end
        return numbers

    def strings_at(self, checkpoints: list[int], indices: list[int]) -> list[str]:
        """The strings at the ascending ``indices`` of an array whose ``checkpoints`` :meth:`skip` returned."""
        texts: list[str] = []
        after, here = 0, self.pos
        for index in indices:
            block = index // BLOCK
            if after <= block * BLOCK:
                after, self.pos = block * BLOCK, checkpoints[block]
            for _ in range(index - after):
                self.pos += 8 + _u64(self.data, self.pos)[0]
            texts.append(self.string())
            after = index + 1
        self.pos = here
        return texts

    def _number(self, form: struct.Struct) -> int | float | bool:
        if self.pos + form.size > self.size:
            raise Cut
        value: int | float | bool = form.unpack_from(self.data, self.pos)[0]
        self.pos += form.size
        return value

    def _skip_strings(self, count: int) -> list[int]:
        self._strings_left -= count
        if self._strings_left < 0:
            raise damaged(f"more than {_MOST_STRINGS:,} strings")
        data, pos, unpack = self.data, self.pos, _u64
        match = _short_strings().match if count >= BLOCK else None
        checkpoints: list[int] = []
        try:
            for start in range(0, count, BLOCK):
                checkpoints.append(pos)
                left = count - start
                if match and left >= BLOCK and (found := match(data, pos)):
                    pos = found.end()
                    continue
                for _ in repeat(None, min(left, BLOCK)):
                    pos += 8 + unpack(data, pos)[0]
        except (struct.error, OverflowError):
            raise Cut from None
        if pos > self.size:
            raise Cut
        self.pos = pos
        return checkpoints


def damaged(what: str) -> IntegrityError:
    """The error for a header that cannot be true; the reader adds the name of the file."""
    return IntegrityError(f"the header is damaged: it has {what}", GET_AGAIN)
