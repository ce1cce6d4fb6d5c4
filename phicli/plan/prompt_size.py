"""Estimates the number of tokens in a prompt from its text, because the engine that counts them is not loaded yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = b"0123456789"
_LETTER, _SPACE, _OTHER_BYTE = 1 / 3, 1 / 8, 0.6
_AROUND_TOKENS: Final = 64
"""For the special tokens of a prompt format, and for the few words that some templates add."""


def estimate_tokens(text: str) -> int:
    """An estimate of the tokens in ``text``, rarely below the real number.

    ASCII letters count a third of a token each, spaces an eighth, digits, punctuation and line breaks one each, and
    the bytes of all other characters 0.6 each. These bounds hold for prose and code in the vocabularies of Phi-3,
    Phi-4, Phi-4-mini (o200k) and SmolLM2 (``tests/plan/test_prompt_size.py``). Text that no vocabulary has words for,
    such as base64, capitals throughout or rare scripts, can have twice as many.
    """
    data = text.encode("utf-8", errors="surrogatepass")
    characters = text.encode("ascii", errors="ignore")
    letters, digits = (len(characters) - len(characters.translate(None, kind)) for kind in (_LETTERS, _DIGITS))
    spaces = characters.count(b" ")
    others = len(characters) - letters - digits - spaces
    weighed = letters * _LETTER + spaces * _SPACE + (len(data) - len(characters)) * _OTHER_BYTE
    return digits + others + int(weighed) + 1


def estimate_prompt(texts: Iterable[str | None]) -> int:
    """An estimate of the tokens in a prompt made of ``texts``, including the tokens of its format."""
    return _AROUND_TOKENS + sum(estimate_tokens(text) for text in texts if text)
