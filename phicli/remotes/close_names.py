"""Which remote a misspelled name was meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ALIKE: Final = 0.6


def closest(typed: str, known: Iterable[str]) -> str | None:
    """The name among ``known`` that is most like ``typed``, in any case; None where none is like it.

    Of equally similar names one with the same letters in another order comes first, then one with the same beginning:
    ``esat`` is ``east``, not ``west``.
    """
    from difflib import SequenceMatcher

    name = typed.lower()

    def alike(other: str) -> tuple[bool, float, bool]:
        ratio = SequenceMatcher(None, other, name).ratio()
        return sorted(other) == sorted(name), ratio, other[:1] == name[:1]

    close = [other for other in known if alike(other)[1] >= _ALIKE]
    return max(close, key=alike, default=None)
