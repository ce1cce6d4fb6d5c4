"""Since when an answer is held to a constraint: from its beginning, which is behind the reasoning, if any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from phicli.answering.draft import Draft, Mark
from phicli.answering.end_watch import EndWatch
from phicli.chat_format.think_tags import OPEN
from phicli.chat_format.types import Piece
from phicli.engine.types import Sampling

MOST_TOKENS: Final = 2048
"""Of an answer that is held to a constraint, where nobody set a limit."""
LOOK_TOKENS: Final = 8
"""So many are generated to see whether a model begins to reason: its tag may be spelled in several tokens."""


class Hold:
    """The constraint of one answer, and since when the answer is held to it.

    Attributes:
        waits: the model reasons first.
        prompt: what the text that is held follows, once it does not wait.
    """

    def __init__(self, sampling: Sampling, watch: EndWatch, draft: Draft) -> None:
        self._sampling, self._watch, self._draft = sampling, watch, draft
        self._mark: Mark | None = None
        self.prompt: tuple[int, ...] = ()
        self.waits = sampling.constraint is not None

    @property
    def holds(self) -> bool:
        """Whether the text that comes is held to a constraint."""
        return self._mark is not None

    def begin(self, prompt: tuple[int, ...]) -> Iterator[Piece]:
        """From now on, behind ``prompt``, the answer is held; the pieces that waited. Nothing without a constraint."""
        if self.waits:
            yield from self._watch.hold()
            self.prompt, self._mark, self.waits = prompt, self._draft.mark(), False

    def again(self) -> tuple[int, ...]:
        """Begin the text that is held again, as the engine cannot continue it; returns the prompt for that."""
        if self._mark is not None:
            self._draft.back_to(self._mark)
            list(self._watch.hold())
        return self.prompt

    def sampling(self, remaining: int | None) -> Sampling:
        """How the next tokens are chosen, of which ``remaining`` are left."""
        if self._mark is None:
            return replace(self._sampling, constraint=None, max_tokens=remaining)
        held = self._draft.completion_tokens - self._mark.completion_tokens
        return replace(self._sampling, max_tokens=max(MOST_TOKENS - held, 0) if remaining is None else remaining)


def begins_reasoning(text: str) -> bool | None:
    """Whether ``text``, the beginning of an answer, opens reasoning; None where more of it is needed."""
    begun = text.lstrip()
    if begun.startswith(OPEN):
        return True
    return None if OPEN.startswith(begun) else False
