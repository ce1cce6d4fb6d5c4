"""Tokenizes text with a SentencePiece vocabulary, as llama.cpp does (``llm_tokenizer_spm_session``).

For engines whose own tokenizer differs from today's: an old llama.cpp puts a space in front of every text, also where
the file says otherwise. Text never becomes a special token here.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

SPACE: Final = "▁"
_NORMAL: Final = (0, 1)
_CONTROL: Final = 3
_USER_DEFINED: Final = 4
_BYTE: Final = 6
_ENDS: Final = ("<|end|>", "<|endoftext|>", "</s>")


class SentencePieces:
    """A SentencePiece vocabulary.

    Args:
        tokens: the pieces, by id.
        scores: of each piece; the pair of neighbors with the highest one is merged first.
        types: of each piece, as in the file (ggml's numbers).
        special_ids: names of ``tokenizer.ggml.NAME_token_id`` (``eos``), with the ids.
        space_prefix: whether a text begins with a space.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        scores: Sequence[float],
        types: Sequence[int],
        *,
        special_ids: Mapping[str, int],
        space_prefix: bool,
    ) -> None:
        self._tokens, self._scores, self._types = tokens, scores, types
        self._ids = {token: token_id for token_id, token in enumerate(tokens)}
        self._space_prefix = space_prefix
        named = {special_ids[name] for name in ("eos", "eot") if name in special_ids}
        marked = {self._ids[end] for end in _ENDS if end in self._ids and types[self._ids[end]] not in _NORMAL}
        self.end_ids = frozenset(named | marked)
        """The tokens with which the model ends an answer."""

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``; with ``parse_special`` its special tokens count as such."""
        if not parse_special or not self._specials:
            return self._words(text, first=True)
        ids: list[int] = []
        after_special = True
        for part in re.split(f"({'|'.join(map(re.escape, self._specials))})", text):
            if part in self._specials:
                ids.append(self._ids[part])
                after_special = True
            elif part:
                ids += self._words(part, first=after_special)
                after_special = False
        return tuple(ids)

    def bytes_of(self, token_id: int) -> bytes:
        """The text of a token, which may end inside a character; empty for a special token."""
        if not 0 <= token_id < len(self._tokens):
            return b""
        token, kind = self._tokens[token_id], self._types[token_id]
        if kind == _BYTE:
            return bytes([int(token[3:5], 16)])
        if kind == _USER_DEFINED and token_id not in self.end_ids:
            return token.encode()
        return token.replace(SPACE, " ").encode() if kind in _NORMAL else b""

    @cached_property
    def _specials(self) -> tuple[str, ...]:
        """The literals of special tokens, the longest first."""
        kinds = zip(self._tokens, self._types, strict=True)
        found = {token for token, kind in kinds if kind in (_CONTROL, _USER_DEFINED) and token}
        return tuple(sorted(found, key=lambda token: (-len(token), token)))

    def _words(self, text: str, *, first: bool) -> tuple[int, ...]:
        if not text:
            return ()
        prefix = SPACE if first and self._space_prefix else ""
        return tuple(self._merged(prefix + text.replace(" ", SPACE)))

    def _merged(self, text: str) -> list[int]:
        """The ids of ``text``: of all neighbors that make a piece, those with the highest score are merged first."""
        symbols: list[str] = list(text)
        before, after = list(range(-1, len(symbols) - 1)), [*range(1, len(symbols)), -1]
        queue: list[tuple[float, int, int, int]] = []

        def add(left: int, right: int) -> None:
            if left < 0 or right < 0:
                return
            token_id = self._ids.get(symbols[left] + symbols[right])
            if token_id is not None:
                length = len(symbols[left]) + len(symbols[right])
                heapq.heappush(queue, (-self._scores[token_id], left, right, length))

        for left in range(len(symbols) - 1):
            add(left, left + 1)
        while queue:
            _, left, right, length = heapq.heappop(queue)
            if not symbols[left] or not symbols[right] or len(symbols[left]) + len(symbols[right]) != length:
                continue
            symbols[left], symbols[right] = symbols[left] + symbols[right], ""
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            add(before[left], left)
            add(left, after[left])
        return [token_id for symbol in symbols if symbol for token_id in self._piece_ids(symbol)]

    def _piece_ids(self, piece: str) -> list[int]:
        token_id = self._ids.get(piece)
        return [token_id] if token_id is not None else [self._ids[f"<0x{byte:02X}>"] for byte in piece.encode()]
