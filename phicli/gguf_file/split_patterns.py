"""How the text for a vocabulary is split before its byte pairs are merged, where llama.cpp does it in another way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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

TRUE_PATTERNS: Final[Mapping[str, str]] = MappingProxyType({"gpt-4o": O200K})
"""``tokenizer.ggml.pre`` of the vocabularies that llama.cpp splits otherwise, with their true patterns.

They are patterns of the package ``regex``. For ASCII llama.cpp's give the same pieces. Its patterns for Phi-2
(``gpt-2``) and Phi-4 (``dbrx``) give the same everywhere, and Phi-3's SentencePiece has none:
``benchmarks/tokenization.py`` compares all four.
"""
