"""The arrays of a vocabulary: what is needed to tokenize with it outside the engine, or to copy it."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN, unreadable
from phicli.gguf_file.scan import TOKENS
from phicli.gguf_file.walker import ARRAY, Cut, Walker

SCORES: Final = "tokenizer.ggml.scores"
TYPES: Final = "tokenizer.ggml.token_type"
_HEAD_BYTES: Final = 16
"""Of an array with its type in front: the type of the value, the type of its elements, and their number."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A SentencePiece vocabulary: tokens, scores and types (ggml's numbers), by token id."""

    tokens: tuple[str, ...] = field(repr=False)
    scores: tuple[float, ...] = field(repr=False)
    types: tuple[int, ...] = field(repr=False)


def read_pieces(path: Path) -> Pieces:
    """The vocabulary of the GGUF file at ``path``, whose header has been read before.

    Raises:
        IntegrityError: the file has changed since, or its vocabulary is not one with scores and types.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            raw = raw_arrays(data)
    except OSError as error:
        raise unreadable(path, error) from None
    tokens = tuple(_strings(raw.get(TOKENS, b"")))
    scores = tuple(score for (score,) in struct.iter_unpack("<f", _body(raw.get(SCORES, b""))))
    types = tuple(kind for (kind,) in struct.iter_unpack("<i", _body(raw.get(TYPES, b""))))
    if not len(tokens) == len(scores) == len(types) > 0:
        raise IntegrityError(f"{path} has no complete SentencePiece vocabulary", GET_AGAIN)
    return Pieces(tokens, scores, types)


def raw_arrays(data: mmap.mmap) -> Mapping[str, bytes]:
    """Tokens, scores and types as they are in the file, each with its type in front; those that are there.

    Raises:
        IntegrityError: the header is cut.
    """
    walker, found = Walker(data), dict[str, bytes]()
    walker.pos = 16
    try:
        for _ in range(walker.u64()):
            key, start = walker.string(), walker.pos
            kind = walker.u32()
            if kind == ARRAY:
                walker.skip(*walker.array_head())
            else:
                walker.scalar(kind)
            if key in (TOKENS, SCORES, TYPES):
                found[key] = data[start : walker.pos]
    except Cut:
        raise IntegrityError("the file has no complete header", GET_AGAIN) from None
    return found


def _strings(raw: bytes) -> Iterator[str]:
    at = _HEAD_BYTES
    while at < len(raw):
        end = at + 8 + struct.unpack_from("<Q", raw, at)[0]
        yield raw[at + 8 : end].decode("utf-8", "replace")
        at = end


def _body(raw: bytes) -> bytes:
    """The elements of 4 bytes in an array."""
    body = raw[_HEAD_BYTES:]
    return body[: len(body) // 4 * 4]
