"""Reads the key-value part of a header: everything but the vocabulary, which is only measured.

The vocabulary and the merges are stepped over by their lengths: they are most of a header.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

from phicli.gguf_file.types import MetaValue
from phicli.gguf_file.walker import ARRAY, STRING, Walker, damaged

TOKENS: Final = "tokenizer.ggml.tokens"
MERGES: Final = "tokenizer.ggml.merges"
UINT32: Final = 4
INT32: Final = 5
UINT64: Final = 10
_TYPES_OF_TOKENS: Final = "tokenizer.ggml.token_type"
_SKIPPED: Final = frozenset({MERGES, "tokenizer.ggml.scores"})
_DECODED_ARRAY: Final = 1024
_MOST_KEYS: Final = 1 << 16
_LARGEST_VOCABULARY: Final = 1 << 22


@dataclass(slots=True)
class Scan:
    """What one pass over the key-value part collects.

    ``lengths`` are those of all arrays. ``tokens`` are checkpoints into the vocabulary, which ends at ``tokens_end``.
    """

    metadata: dict[str, MetaValue] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    tokens_end: int = 0
    token_types: array[int] = field(default_factory=lambda: array("i"))


def scan_keys(walker: Walker, key_count: int, scan: Scan) -> None:
    """Read ``key_count`` keys and their values into ``scan``, which has what was read where that fails.

    Raises:
        Cut: the data end before.
        IntegrityError: they are damaged.
    """
    if key_count > _MOST_KEYS:
        raise damaged(f"{key_count:,} keys")
    for _ in range(key_count):
        key = walker.string()
        if key in scan.metadata or key in scan.lengths:
            raise damaged(f"the key {key[:80]!r} twice")
        kind = walker.u32()
        if kind == ARRAY:
            _scan_array(walker, scan, key)
        else:
            scan.metadata[key] = walker.scalar(kind)


def _scan_array(walker: Walker, scan: Scan, key: str) -> None:
    kind, count = walker.array_head()
    scan.lengths[key] = count
    if key == TOKENS:
        if kind != STRING or count > _LARGEST_VOCABULARY:
            raise damaged(f"a vocabulary of {count:,} values of type {kind}")
        scan.tokens = walker.skip(kind, count)
        scan.tokens_end = walker.pos
    elif key == _TYPES_OF_TOKENS:
        if kind not in (UINT32, INT32) or count > _LARGEST_VOCABULARY:
            raise damaged(f"{count:,} token types of type {kind}")
        scan.token_types = walker.int32s(count)
    elif count <= _DECODED_ARRAY and key not in _SKIPPED:
        scan.metadata[key] = walker.values(kind, count)
    else:
        walker.skip(kind, count)
