"""The probabilities of the tokens that an answer consists of, out of all that was generated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from phicli.chat_format.think_tags import TAGS
from phicli.engine.logprobs import Likely

_BEFORE: Final = re.compile(rf"(?:\s|{'|'.join(map(re.escape, TAGS))})*")


class LikelyTokens:
    """The tokens of one answer, each with its place in the generated text."""

    def __init__(self) -> None:
        self._tokens: list[tuple[int, Likely]] = []

    def add(self, place: int, tokens: Sequence[Likely]) -> None:
        """Take tokens whose text begins at ``place``."""
        for token in tokens:
            self._tokens.append((place, token))
            place += len(token.text)

    def forget_from(self, place: int) -> None:
        """Forget the tokens from ``place`` on, which are generated again."""
        self._tokens = [one for one in self._tokens if one[0] < place]

    def of_answer(self, generated: str, reasoning: str, text: str) -> tuple[Likely, ...]:
        """The tokens that overlap with ``text``, which comes behind ``reasoning`` in what was ``generated``.

        A text that is not there in one piece, as with tool calls between its parts, has all tokens behind the
        reasoning.
        """
        thought = reasoning.strip()
        place = generated.find(thought) + len(thought) if thought and thought in generated else 0
        if thought:
            place = _BEFORE.match(generated, place).end()  # type: ignore[union-attr]  # it matches the empty text
        start = generated.find(text, place)
        end = len(generated) if start < 0 or not text else start + len(text)
        first = place if start < 0 or not text else start
        return tuple(one for at, one in self._tokens if at < end and at + len(one.text) > first)
