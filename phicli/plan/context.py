"""How large a context is allocated, first and when it grows; ``answering/local_model.py`` decides when.

llama.cpp picks the short or the long rope factors of a LongRoPE model once, from the *allocated* context: with more
than the original context allocated, even a 20-token prompt is answered with the long factors. The reference
implementation picks by the actual length. So the allocation starts at the original context at most, and a
conversation that outgrows it is evaluated again in a larger one. Sizes on the same side of the original context have
the same factors: there, and in all other models, what was evaluated can be carried over into a larger context.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phicli.errors import ContextExceededError, UsageError
from phicli.fit.loading import ContextWish
from phicli.fit.memory import padded_context
from phicli.gguf_file.types import GgufHeader

DEFAULT_CONTEXT_TOKENS = 4096
ANSWER_TOKENS = 512
"""Tokens allocated for an answer without a given limit; a longer answer gets a larger context."""

_SHORTER: Final = (
    "use --on-overflow drop or --on-overflow summarize, or shorten the question"
    " (in a conversation: /edit, /undo, /set on-overflow drop, or /clear to start over)"
)


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """Sizes in tokens: allocated first, and the most that a conversation may grow to.

    ``trained_tokens`` is what the model was trained for, None for no more than the limit. The limit is less where a
    person ``asked`` for it, or where the memory is too small: that decides what is proposed when it is reached.
    ``original_tokens`` is the original context of a LongRoPE model, None for other models. ``usual_tokens`` is the
    first allocation of a conversation, None for that of this one: one answer may begin with less.
    """

    first_tokens: int
    limit_tokens: int
    trained_tokens: int | None = None
    asked: bool = False
    original_tokens: int | None = None
    usual_tokens: int | None = None

    def is_usual(self, context_tokens: int) -> bool:
        """Whether so many tokens are at least what a conversation begins with."""
        return context_tokens >= (self.usual_tokens or self.first_tokens)

    def has_long_factors(self, context_tokens: int) -> bool:
        """Whether the engine computes with the long factors when so many tokens are allocated."""
        return self.original_tokens is not None and padded_context(context_tokens) > self.original_tokens

    def grown(self, needed_tokens: int) -> int:
        """The allocation for a conversation of ``needed_tokens`` with room for an answer.

        Doubling keeps the number of loads small; the room is a quarter, so that the answer seldom has to move
        again. What fits into the original context of a LongRoPE model stays in it.

        Raises:
            ContextExceededError: it does not fit into the limit.
        """
        if exceeded := self.exceeded_by(needed_tokens):
            raise exceeded
        size = self.first_tokens
        while size < needed_tokens + needed_tokens // 4:
            size *= 2
        if self.original_tokens is not None and needed_tokens <= self.original_tokens:
            size = min(size, self.original_tokens)
        return min(size, self.limit_tokens)

    def exceeded_by(self, tokens: int) -> ContextExceededError | None:
        """The error for a conversation of so many ``tokens``, the first of the answer among them; None if it fits."""
        return self._exceeded(tokens, str(tokens)) if tokens >= self.limit_tokens else None

    def require_least(self, least_tokens: int) -> None:
        """Return if a conversation of at least ``least_tokens`` may fit into the limit.

        Raises:
            ContextExceededError: it does not, however many tokens it has.
        """
        if least_tokens >= self.limit_tokens:
            raise self._exceeded(least_tokens, f"at least {least_tokens}")

    def _exceeded(self, tokens: int, words: str) -> ContextExceededError:
        return ContextExceededError(
            f"the conversation has {words} tokens, but the context has only {self.limit_tokens}",
            f"{_SHORTER}{self._larger(tokens)}",
            data={"prompt_tokens": tokens, "context_tokens": self.limit_tokens},
        )

    def _larger(self, needed_tokens: int) -> str:
        """The end of a hint: how to get a context for ``needed_tokens``; empty where the model has none."""
        larger = min(padded_context(needed_tokens * 5 // 4), self.trained_tokens or self.limit_tokens)
        if larger <= needed_tokens:
            return ""
        if self.asked:
            return f"; or use a larger context: --context {larger}"
        return f"; memory limits the context; to load a larger one anyway: --context {larger} --no-memory-check"


def wish_context(
    header: GgufHeader, asked_tokens: int | None = None, *, one_answer_tokens: int | None = None
) -> ContextWish:
    """The context of a model as if memory did not matter.

    Args:
        header: of the file; it says what the model was trained for.
        asked_tokens: ``--context``, a ceiling; None for as much as is sensible.
        one_answer_tokens: what one question and its answer need, to begin with no more; None for a conversation.

    Raises:
        UsageError: more was asked for than the model was trained for.
    """
    trained, original = header.context_length or DEFAULT_CONTEXT_TOKENS, header.original_context_length
    require_trained(asked_tokens, trained)
    limit = trained if asked_tokens is None else asked_tokens
    long_rope = original is not None and original < trained
    usual = min(limit, original if original is not None and long_rope else DEFAULT_CONTEXT_TOKENS)
    first = usual
    if one_answer_tokens is not None:
        first = min(padded_context(one_answer_tokens), usual if long_rope else limit)
    return ContextWish(first, limit, promised=asked_tokens is not None, usual_tokens=usual)


def answer_room(max_tokens: int | None) -> int:
    """The tokens to allocate for one answer of at most ``max_tokens``; a very long limit is seldom reached."""
    return ANSWER_TOKENS if max_tokens is None else min(max_tokens, DEFAULT_CONTEXT_TOKENS)


def require_trained(asked_tokens: int | None, trained_tokens: int) -> None:
    """Return if the model was trained for the context that was asked for (None for none).

    Raises:
        UsageError: it was trained for less.
    """
    if asked_tokens is not None and asked_tokens > trained_tokens:
        raise UsageError(
            f"--context {asked_tokens} is more than the {trained_tokens} tokens that this model was trained for",
            f"use --context {trained_tokens} or less",
        )
