"""The texts that a workload generates instead of random tokens: their names, titles and limits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COPY: Final = "copy"
NEW: Final = "new"
TEXTS: Final[Mapping[str, str]] = MappingProxyType({COPY: "copied text", NEW: "new text"})
"""A given text that the model writes again with one word changed, and an answer that quotes nothing, with their names
in sentences. Other work, such as a summary or a change in a program, is between the two."""

MOST_TEXT_TOKENS: Final = 512
"""The most that can be generated: the text to copy has 524 words."""

_TOKENS_OF_A_WORD: Final = 3
_QUESTION_TOKENS: Final = 128


def text_span(generated_tokens: int) -> int:
    """Tokens of a sequence with a question, the text to copy and ``generated_tokens``, at most: the text has as many
    words, in the vocabulary of a toy of up to three tokens each."""
    return _QUESTION_TOKENS + (_TOKENS_OF_A_WORD + 1) * generated_tokens
