"""How the text for a vocabulary is split before its byte pairs are merged, where llama.cpp does it in another way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from phicli.gguf_file.types import Vocabulary

_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_WORD_START, _CONTRACTION = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K: Final = "|".join(
    (
        f"{_WORD_START}{_UPPER}*{_LOWER}+{_CONTRACTION}",
        f"{_WORD_START}{_UPPER}+{_LOWER}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""The pattern of o200k: what stands in the ``tokenizer.json`` of Phi-4-mini."""

CL100K: Final = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""The pattern of cl100k: what stands in the ``tokenizer.json`` of Phi-4."""

GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The pattern of GPT-2: Phi-1, Phi-1.5 and Phi-2 have it from CodeGen."""

TRUE_PATTERNS: Final[Mapping[str, str]] = MappingProxyType({"gpt-4o": O200K})
"""``tokenizer.ggml.pre`` of the vocabularies that llama.cpp splits otherwise, with their true patterns.

They are patterns of the package ``regex``. For ASCII llama.cpp's give the same pieces. Its patterns for Phi-2
(``gpt-2``) and Phi-4 (``dbrx``) give the same everywhere, and Phi-3's SentencePiece has none:
``benchmarks/tokenization.py`` compares all four.
"""

_BY_END_OF_TEXT: Final[Mapping[int, str]] = MappingProxyType({199_999: O200K, 100_257: CL100K, 50_256: GPT2})
_NAMELESS: Final = (None, "", "default")


def lost_pattern(vocabulary: Vocabulary) -> str | None:
    """The true pattern of o200k, cl100k or GPT-2's vocabulary, where the file names none; else None.

    Conversions from before May 2024 have no ``tokenizer.ggml.pre``, and most files of Phi-2 are such. llama.cpp then
    splits by a pattern of its own, ASCII too: digits by threes, punctuation apart
    (``findings/default_split_is_not_gpt2.sh``). The vocabularies are known by the id of ``<|endoftext|>``.
    """
    if vocabulary.pre not in _NAMELESS:
        return None
    ends = (token_id for token_id, token in vocabulary.special_tokens.items() if token.literal == "<|endoftext|>")
    return _BY_END_OF_TEXT.get(next(ends, -1))
