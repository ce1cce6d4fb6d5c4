"""Tokenizes text with a SentencePiece vocabulary, as llama.cpp does (``llm_tokenizer_spm_session``).

It is for engines whose own tokenizer differs from today's: an old llama.cpp puts a space in front of every text, even
if the file says otherwise. Text never becomes a special token here.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence, Set
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from phicli.errors import IntegrityError
from phicli.gguf_file.ggml_types import (
    TOKEN_BYTE,
    TOKEN_CONTROL,
    TOKEN_NORMAL,
    TOKEN_UNDEFINED,
    TOKEN_UNKNOWN,
    TOKEN_USER_DEFINED,
)
from phicli.gguf_file.header import read_header
from phicli.gguf_file.pieces import read_pieces

SPACE: Final = "▁"
_NORMAL: Final = (TOKEN_UNDEFINED, TOKEN_NORMAL)
_SPECIAL: Final = (TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED)
_ENDS: Final = ("<|end|>", "<|endoftext|>", "</s>")


class SentencePieces:
    """A SentencePiece vocabulary.

    Args:
        tokens: the pieces, by id.
        scores: of each piece; the pair of neighbors with the highest one is merged first.
        types: of each piece, as in the file (ggml's numbers).
        end_ids: tokens that end a text, according to the file.
        space_prefix: whether a text begins with a space.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        scores: Sequence[float],
        types: Sequence[int],
        *,
        end_ids: Set[int],
        space_prefix: bool,
    ) -> None:
        self._tokens, self._scores, self._types = tokens, scores, types
        self._ids = {token: token_id for token_id, token in enumerate(tokens)}
        self._byte_ids = [self._ids.get(f"<0x{byte:02X}>") for byte in range(256)]
        self._byte_of = {token_id: byte for byte, token_id in enumerate(self._byte_ids)}
        self._space_prefix = space_prefix
        marked = {self._ids[end] for end in _ENDS if end in self._ids and types[self._ids[end]] not in _NORMAL}
        self.end_ids = frozenset(token_id for token_id in end_ids | marked if token_id < len(tokens))
        """The tokens with which the model ends an answer."""

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The vocabulary of the GGUF file at ``path``.

        Raises:
            IntegrityError: it has no complete SentencePiece vocabulary.
        """
        header, pieces = read_header(path), read_pieces(path)
        vocabulary = header.vocabulary
        named = (vocabulary.eos_id, vocabulary.eot_id) if vocabulary else ()
        made = cls(
            pieces.tokens,
            pieces.scores,
            pieces.types,
            end_ids={token_id for token_id in named if token_id is not None},
            space_prefix=header.metadata.get("tokenizer.ggml.add_space_prefix") is not False,
        )
        if None in made._byte_ids:
            raise IntegrityError(f"{path} has no tokens for some of the 256 bytes", "use another file of the model")
        return made

    @property
    def size(self) -> int:
        """The number of tokens."""
        return len(self._tokens)

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
        if kind == TOKEN_BYTE:
            return bytes([self._byte_of[token_id]]) if token_id in self._byte_of else b""
        if kind == TOKEN_USER_DEFINED and token_id not in self.end_ids:
            return token.encode()
        return token.replace(SPACE, " ").encode() if kind in _NORMAL else b""

    @cached_property
    def _specials(self) -> tuple[str, ...]:
        """The literals of special tokens, the longest first."""
        kinds = zip(self._tokens, self._types, strict=True)
        found = {token for token, kind in kinds if kind in _SPECIAL and token}
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
        found = [token_id] if token_id is not None else [self._byte_ids[byte] for byte in piece.encode()]
        return [number for number in found if number is not None]
