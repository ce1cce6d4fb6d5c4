"""The brake for runaway answers: a tail that repeats itself exactly, over and over."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from typing import Final

from phicli.chat_format.code_blocks import CodeBlocks
from phicli.engine.types import Chunk

LEAST_TIMES: Final = 8
LEAST_TOKENS: Final = 200
_LEVELS: Final = ((32, 256), (256, 2048), (2048, 16384))
"""Every so many chunks, the last so many are looked at: eight steps for a chunk on each level, whatever the length.

The first level finds repeated parts of up to 32 chunks soon, the last one those of up to 2,048.
"""


class Repetition:
    """Finds out while an answer comes whether its tail is one part, repeated at least 8 times over 200 tokens.

    Only exact repetition counts: the rows of a table differ from each other, the turns of a loop do not. A tail that
    lies in one code block is let through, since data in code may well repeat.
    """

    __slots__ = ("_blocks", "_code_from", "_numbers", "_parts", "_tokens")

    def __init__(self) -> None:
        self._parts: dict[Hashable, int] = {}
        self._numbers = array("l")  # of each chunk: the same number for the same text
        self._tokens = array("l", [0])  # so many tokens before each chunk, and in all
        self._blocks = CodeBlocks()
        self._code_from: int | None = None

    def add(self, chunk: Chunk) -> bool:
        """Take the next chunk; True where the tail is seen to repeat. The tail is looked at every 32 chunks."""
        self._numbers.append(self._parts.setdefault(chunk.text or chunk.token_ids, len(self._parts)))
        self._tokens.append(self._tokens[-1] + chunk.tokens)
        count = len(self._numbers)
        if self._blocks.feed(chunk.text):
            self._code_from = count if self._blocks.inside else None
        return any(count % every == 0 and self._repeats(most, self._code_from) for every, most in _LEVELS)

    def now(self) -> bool:
        """Whether the tail repeats at this point, in a code block too: where more of it would cost a larger context."""
        return any(self._repeats(most, None) for _, most in _LEVELS)

    def _repeats(self, most: int, code_from: int | None) -> bool:
        """Whether one of the tails of up to ``most`` chunks repeats, with at least one part before ``code_from``."""
        backwards = self._numbers[-most:][::-1]
        end = len(self._numbers)
        for length, border in enumerate(_borders(backwards), 1):
            part, start = length - border, end - length
            if (
                length >= LEAST_TIMES * part
                and self._tokens[end] - self._tokens[start] >= LEAST_TOKENS
                and (code_from is None or start + part <= code_from)
            ):
                return True
        return False


def _borders(numbers: Sequence[int]) -> array[int]:
    """For each beginning of ``numbers``, the length of the longest shorter beginning that is its end as well.

    The length less that border is the shortest part whose repetition makes the beginning. This is the prefix function
    of Knuth, Morris and Pratt, "Fast pattern matching in strings", SIAM Journal on Computing 6 (1977).
    """
    borders = array("l", bytes(array("l").itemsize * len(numbers)))
    border = 0
    for place in range(1, len(numbers)):
        while border and numbers[place] != numbers[border]:
            border = borders[border - 1]
        border += numbers[place] == numbers[border]
        borders[place] = border
    return borders
