"""Tokenizes text as a model was trained, where the engine does not.

llama.cpp splits text by patterns of its own before it merges byte pairs. For vocabularies of o200k's kind its pattern
has stand-ins for Unicode's classes: it takes every letter beyond ASCII for upper and lower case at once, and no mark
for a part of a word. So camel case in Greek or Cyrillic, and words with vowel signs, come out as other tokens than the
model has seen in training; and where a file does not name its pattern, any text does. Here such text is split by the
true pattern and merged with the merges of the file. ``benchmarks/tokenization.py`` compares the result with the
``tokenizers`` library.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from phicli.gguf_file.byte_letters import LETTER_OF_BYTE

if TYPE_CHECKING:
    from phicli.gguf_file.merges import Merges

_MOST_KNOWN: Final = 200_000
_LETTERS: Final = tuple(LETTER_OF_BYTE[byte].encode() for byte in range(256))


class BytePairs:
    """A byte-level BPE tokenizer that splits by ``pattern``.

    ``read`` reads the vocabulary; it is called when the first text needs it. ASCII never does, unless ``all_text`` says
    that the engine splits that in another way too. ``added`` are tokens that come before all splitting: the runs of
    spaces of Phi-2. One that ``remembers`` knows the words of texts before, for many texts in a row.
    """

    def __init__(
        self,
        pattern: str,
        read: Callable[[], Merges],
        *,
        all_text: bool = False,
        added: Mapping[str, int] = MappingProxyType({}),
        remembers: bool = False,
    ) -> None:
        self._pattern = pattern
        self._read = read
        self._all_text = all_text
        self._added = added
        self._known: dict[str, tuple[int, ...]] | None = {} if remembers else None

    def serves(self, text: str) -> bool:
        """Whether ``text`` is to be tokenized here."""
        return (self._all_text or not text.isascii()) and self._merges.spells_all_bytes

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Token ids of ``text``; nothing in it becomes a special token, unless a merge leads to one."""
        import regex

        known: dict[str, tuple[int, ...]] = {} if self._known is None else self._known
        if len(known) > _MOST_KNOWN:
            known.clear()
        ids: list[int] = []
        for part in self._parts(text):
            if part in self._added:
                ids.append(self._added[part])
                continue
            for piece in regex.findall(self._pattern, part):
                if piece not in known:
                    known[piece] = self._piece_ids(piece)
                ids += known[piece]
        return tuple(ids)

    def _parts(self, text: str) -> list[str]:
        """The text, cut at the added tokens; of several at one place the longest counts."""
        if not self._added:
            return [text]
        literals = sorted(self._added, key=len, reverse=True)
        return re.split(f"({'|'.join(map(re.escape, literals))})", text)

    @cached_property
    def _merges(self) -> Merges:
        return self._read()

    def _piece_ids(self, piece: str) -> tuple[int, ...]:
        letters = [_LETTERS[byte] for byte in piece.encode("utf-8", "replace")]
        ids = self._merges.ids
        result: list[int] = []
        for token in merged(letters, self._merges.ranks):
            # a merge without a token is the fault of a vocabulary; the engine spells it in bytes too
            result += [ids[token]] if token in ids else [ids[letter.encode()] for letter in token.decode()]
        return tuple(result)


def merged(symbols: list[bytes], ranks: Mapping[bytes, int]) -> list[bytes]:
    """Merge neighbors: the pair of the lowest rank first, the leftmost of several; in O(n log n)."""
    symbols = list(symbols)
    count = len(symbols)
    after, before = list(range(1, count + 1)), list(range(-1, count - 1))
    waiting: list[tuple[int, int]] = []

    def rank_at(left: int) -> int | None:
        right = after[left]
        return ranks.get(symbols[left] + b" " + symbols[right]) if right < count else None

    def consider(left: int) -> None:
        rank = rank_at(left)
        if rank is not None:
            heapq.heappush(waiting, (rank, left))

    for left in range(count):
        consider(left)
    while waiting:
        rank, left = heapq.heappop(waiting)
        if not symbols[left] or rank_at(left) != rank:  # merged in the meantime
            continue
        right = after[left]
        symbols[left], symbols[right] = symbols[left] + symbols[right], b""
        after[left] = after[right]
        if after[left] < count:
            before[after[left]] = left
        consider(left)
        if before[left] >= 0:
            consider(before[left])
    return [symbol for symbol in symbols if symbol]
