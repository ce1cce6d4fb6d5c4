"""One file for a model in several: the keys of the first part as they are there, and the tensors of all parts.

The keys that say that a file is a part (``split.no``, ``split.count`` and ``split.tensors.count``, which llama.cpp's
``gguf-split`` writes) are left out.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN
from phicli.gguf_file.facts import Facts
from phicli.gguf_file.header import read_any_header
from phicli.gguf_file.names import parts_of
from phicli.gguf_file.types import GgufHeader, TensorInfo
from phicli.gguf_file.walker import ARRAY, Cut, Walker

_SPLIT: Final = "split."
_ALIGNMENT: Final = 32
_COUNTS_AT: Final = 8


@dataclass(frozen=True, slots=True)
class Joined:
    """The new file: its first bytes, up to the data of the tensors; these in order, each with the part that has it.

    Each of them begins at a multiple of ``alignment`` bytes.
    """

    head: bytes
    tensors: tuple[tuple[GgufHeader, TensorInfo], ...]
    alignment: int
    size_bytes: int


def parts_with(header: GgufHeader) -> tuple[GgufHeader, ...]:
    """The headers of all parts of the model whose first part has ``header``; mostly this one alone.

    Raises:
        PhiError: a part is missing or damaged.
    """
    if header.split_count <= 1:
        return (header,)
    return (header, *(read_any_header(path) for path in parts_of(header.path)[1:]))


def joined(parts: Sequence[GgufHeader]) -> Joined:
    """The file that ``parts``, in order, become.

    Raises:
        IntegrityError: the first part has changed since its header was read.
    """
    first = parts[0]
    alignment = Facts(first.metadata).whole("general.alignment") or _ALIGNMENT
    tensors = tuple((part, one) for part in parts for one in sorted(part.tensors, key=lambda one: one.offset))
    entries, offset = [], 0
    for _, tensor in tensors:
        name, shape = tensor.name.encode(), tensor.shape
        entries.append(struct.pack("<Q", len(name)) + name + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        entries.append(struct.pack("<IQ", tensor.type_id, offset))
        offset += -(-tensor.size_bytes // alignment) * alignment
    keys = _keys(first)
    counts = struct.pack("<4sIQQ", b"GGUF", first.version, len(tensors), len(keys))
    head = b"".join((counts, *keys, *entries))
    head += b"\0" * (-len(head) % alignment)
    return Joined(head, tensors, alignment, len(head) + offset)


def _keys(header: GgufHeader) -> list[bytes]:
    """The keys of a file with their values, byte for byte."""
    found = []
    try:
        with header.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            walker = Walker(data)
            walker.pos = _COUNTS_AT + 8
            for _ in range(walker.u64()):
                start, key = walker.pos, walker.string()
                kind = walker.u32()
                if kind == ARRAY:
                    walker.skip(*walker.array_head())
                else:
                    walker.scalar(kind)
                if not key.startswith(_SPLIT):
                    found.append(bytes(data[start : walker.pos]))
    except (Cut, ValueError):
        raise IntegrityError(f"{header.path} changed while it was read", GET_AGAIN) from None
    return found
