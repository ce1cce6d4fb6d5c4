"""Styled text for a terminal, as a string."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.style import Style


@dataclass(frozen=True, slots=True)
class Span:
    """Text of one style, in the words of Rich (``bold cyan``; empty is plain)."""

    text: str
    style: str = ""


def painted(text: str, style: str, *, colour: bool) -> str:
    """``text`` with the control sequences of its style; white space alone stays as it is."""
    if not (colour and style and text.strip()):
        return text
    from rich.color import ColorSystem

    return _style(style).render(text, color_system=ColorSystem.STANDARD)


def is_complete(source: str, shown: str) -> bool:
    """Whether every letter and digit of ``source`` is in ``shown``."""
    return not Counter(filter(str.isalnum, source)) - Counter(filter(str.isalnum, shown))


@lru_cache(maxsize=256)
def _style(words: str) -> Style:
    from rich.style import Style

    return Style.parse(words)
