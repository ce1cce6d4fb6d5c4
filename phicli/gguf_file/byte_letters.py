"""The letters of byte-level BPE: how a vocabulary of GPT-2's kind writes bytes that are not printable characters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _letters() -> dict[int, str]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in letters)
    return letters | {byte: chr(256 + place) for place, byte in enumerate(others)}


LETTER_OF_BYTE: Final[Mapping[int, str]] = MappingProxyType(_letters())
"""Byte to letter (the table of GPT-2)."""

BYTE_OF_LETTER: Final[Mapping[str, int]] = MappingProxyType({letter: byte for byte, letter in LETTER_OF_BYTE.items()})
"""Letter to byte."""
