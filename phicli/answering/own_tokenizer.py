"""Tokenizes as the model was trained, without an engine: for many short texts, which an engine needs 1 ms each for.

Which vocabularies are tokenized exactly is compared by ``benchmarks/tokenization.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phicli.answering.byte_pairs import BytePairs
from phicli.answering.encode import Tokenizer
from phicli.answering.special_tokens import is_harmless
from phicli.engine.sentence_pieces import SentencePieces
from phicli.gguf_file.ggml_types import TOKEN_USER_DEFINED
from phicli.gguf_file.merges import read_merges
from phicli.gguf_file.split_patterns import CL100K, GPT2, O200K, lost_pattern
from phicli.gguf_file.types import GgufHeader

_PATTERNS: Final[Mapping[str, str]] = {"gpt-4o": O200K, "dbrx": CL100K, "gpt-2": GPT2}
"""``tokenizer.ggml.pre`` of the vocabularies of the family, with their true patterns."""


class _Pairs:
    def __init__(self, pairs: BytePairs) -> None:
        self._pairs = pairs

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        del parse_special  # in text nothing is special
        return self._pairs.tokenize(text)


def own_tokenizer(header: GgufHeader) -> Tokenizer | None:
    """A tokenizer for the vocabulary of a file; None for one that only the engine can tokenize.

    Raises:
        IntegrityError: the file has no complete vocabulary.
    """
    vocabulary = header.vocabulary
    if vocabulary is None:
        return None
    if vocabulary.model == "llama":
        return SentencePieces.of_file(header.path)
    pattern = _PATTERNS.get(vocabulary.pre or "") or lost_pattern(vocabulary)
    if vocabulary.model != "gpt2" or not vocabulary.merges or pattern is None:
        return None
    added = {
        token.literal: token_id
        for token_id, token in vocabulary.special_tokens.items()
        if token.kind == TOKEN_USER_DEFINED and is_harmless(token.literal)
    }
    merges = read_merges(header.path)
    if not merges.spells_all_bytes:
        return None
    return _Pairs(BytePairs(pattern, lambda: merges, all_text=True, added=added, remembers=True))
