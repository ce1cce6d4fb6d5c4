"""Regular expressions that the engine and Python read alike: the first holds an answer to them, the other checks it."""

from __future__ import annotations

import re
import warnings
from typing import Final

_PART: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""An escaped character, or a class."""
_TOLD: Final = "bBAZN0123456789"
"""Escaped characters that stand for something that the engine lacks."""
_IN_CLASS: Final = re.compile(r"\[|&&|--|~~|\\b")
_LACKING: Final = (
    (r"\\[bB]", "a word boundary"),
    (r"\\[AZ]", "an anchor; the whole answer must match anyway"),
    (r"\\[1-9]|\(\?P=", "a backreference"),
    (r"\(\?<?[=!]", "lookaround"),
    (r"\(\?>|[*+?]\+|\{\d*,?\d*\}\+", "a possessive repetition or an atomic group"),
    (r"\(\?\(", "a condition"),
    (r"\(\?#", "a comment"),
    (r"\(\?[A-Za-z-]*[amLu]", "a flag other than i, s and x"),
    (r"\\[N0]", "a character by its name or octal number"),
    (r"\{,", "a repetition without a smallest number; write {0,3}"),
)


def compiled(pattern: str) -> re.Pattern[str]:
    """``pattern`` as Python reads it, without Python's warnings about classes: :func:`different` has those.

    Raises:
        re.error, RecursionError, OverflowError: it cannot be compiled.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(pattern)


def different(pattern: str) -> str:
    """The part of a class that the engine reads in another way than Python: ``[[:alpha:]]``; empty for none."""
    for part in _PART.findall(pattern):
        inner = re.sub(r"\\[^b]", "", part[1:-1], flags=re.DOTALL)
        if part.startswith("[") and (found := _IN_CLASS.search(inner)):
            return f"{found[0]} in a class"
    return ""


def lacking(pattern: str) -> str:
    """What ``pattern`` has that the engine cannot hold, in words; empty for nothing."""

    def masked(part: re.Match[str]) -> str:
        return part[0] if part[0][0] == "\\" and part[0][1] in _TOLD else "x"

    outside = _PART.sub(masked, pattern)
    return next((words for mark, words in _LACKING if re.search(mark, outside)), "")
