"""Which tokens of a vocabulary are special: those that the file marks, and those whose spelling says so.

Conversions mark special tokens in every way that the format has: CONTROL, USER_DEFINED, UNUSED, NORMAL like the words,
or there are no marks at all. What a prompt format is made of must not depend on that, nor must text be able to become
one of these tokens. A token that is spelled ``<|…|>`` is never a word: no text has taught it to a vocabulary.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from phicli.gguf_file.ggml_types import ORDINARY, TOKEN_NORMAL
from phicli.gguf_file.types import SpecialToken
from phicli.gguf_file.walker import BLOCK, Walker

_SPELLED: Final = re.compile(rb"<\|[^|<>\0]{1,60}\|>|</?think>")
_NAMED: Final = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")
_MARK: Final = re.compile(rb"[^%s]" % re.escape(bytes(ORDINARY)))
_u64 = struct.Struct("<Q").unpack_from


def special_tokens(
    walker: Walker, checkpoints: list[int], types: array[int], named: Iterable[int], *, end: int
) -> Mapping[int, SpecialToken]:
    """The special tokens by id, in ascending order.

    Args:
        walker: over the file.
        checkpoints: where the vocabulary's strings are, as :meth:`Walker.skip` returned them.
        types: ggml's number for each token; empty where the file has none.
        named: ids that the metadata names (end of text, …): special where they are spelled like it.
        end: where the vocabulary ends.
    """
    if not checkpoints:
        return {}
    marked = set(_marked(types))
    spelled = set(_spelled(walker, checkpoints, end))
    candidates = sorted(set(named) - marked - spelled)
    for index, literal in zip(candidates, walker.strings_at(checkpoints, candidates), strict=True):
        if _NAMED.fullmatch(literal):
            spelled.add(index)
    indices = sorted(marked | spelled)
    literals = walker.strings_at(checkpoints, indices)
    return {
        index: SpecialToken(literal, types[index] if types else TOKEN_NORMAL)
        for index, literal in zip(indices, literals, strict=True)
    }


def _marked(types: array[int]) -> Iterator[int]:
    """The places of types that are not those of words, in ascending order.

    The lowest bytes are searched: a loop over 200,000 numbers would take ten times as long.
    """
    raw = types.tobytes()
    planes = [raw[place :: types.itemsize] for place in range(types.itemsize)]
    lowest, *others = planes if sys.byteorder == "little" else reversed(planes)
    if any(plane.count(0) != len(plane) for plane in others):
        yield from (index for index, kind in enumerate(types) if kind not in ORDINARY)
    else:
        yield from (match.start() for match in _MARK.finditer(lowest))


def _spelled(walker: Walker, checkpoints: list[int], end: int) -> Iterator[int]:
    """The places of tokens that are spelled like special ones, in ascending order."""
    data, block, place, at = walker.data, 0, 0, checkpoints[0]
    for match in _SPELLED.finditer(data, checkpoints[0], end):
        start = match.start() - 8
        if start < at or _u64(data, start)[0] != len(match[0]):
            continue
        while block + 1 < len(checkpoints) and checkpoints[block + 1] <= start:
            block += 1
            place, at = block * BLOCK, checkpoints[block]
        while at < start:
            at += 8 + _u64(data, at)[0]
            place += 1
        if at == start:
            yield place
