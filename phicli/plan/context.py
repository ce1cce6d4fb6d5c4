"""How large a context is allocated, and when it grows.

llama.cpp picks the short or the long rope factors of a LongRoPE model once, from the *allocated* context: with more
than the original context allocated, even a 20-token prompt is answered with the long factors. The reference
implementation picks by the actual length. So the allocation starts at the original context at most, and a
conversation that outgrows it is evaluated again in a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass

from phicli.errors import ContextExceededError

DEFAULT_CONTEXT_TOKENS = 4096
_GRAIN_TOKENS = 256
"""llama.cpp pads the context to a multiple of this."""


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """Sizes in tokens: allocated first, and the most that a conversation may grow to.

    ``growable`` says whether ``limit_tokens`` comes from the memory and the model (True) or was asked for (False):
    it decides what a person is told to do when the limit is reached.
    """

    first_tokens: int
    limit_tokens: int
    growable: bool = True

    def grown(self, needed_tokens: int) -> int:
        """The allocation for a conversation of ``needed_tokens`` with room for an answer.

        Doubling keeps the number of evaluations small; the room is a quarter, so that the answer seldom has to
        move again.

        Raises:
            ContextExceededError: it does not fit into the limit.
        """
        if needed_tokens >= self.limit_tokens:
            raise ContextExceededError(
                f"the conversation has {needed_tokens} tokens, and the context ends at {self.limit_tokens}",
                "shorten it, or start over (/clear in a conversation)"
                + ("" if self.growable else f", or allow more: --context {_padded(needed_tokens * 5 // 4)}"),
                data={"prompt_tokens": needed_tokens, "context_tokens": self.limit_tokens},
            )
        size = self.first_tokens
        while size < needed_tokens + needed_tokens // 4:
            size *= 2
        return min(size, self.limit_tokens)


def plan_context(
    *, trained_tokens: int, original_tokens: int | None, asked_tokens: int | None, fitting_tokens: int
) -> ContextPlan:
    """The plan for a model trained for ``trained_tokens``.

    Args:
        trained_tokens: the largest context the model was made for.
        original_tokens: the original context of a LongRoPE model, None for others.
        asked_tokens: ``--context``, a ceiling; None for as much as is sensible.
        fitting_tokens: the largest context whose cache fits into memory.
    """
    limit = asked_tokens if asked_tokens is not None else min(trained_tokens, fitting_tokens)
    start = original_tokens if original_tokens is not None and original_tokens < trained_tokens else None
    first = min(limit, start or DEFAULT_CONTEXT_TOKENS)
    return ContextPlan(first_tokens=first, limit_tokens=limit, growable=asked_tokens is None)


def _padded(tokens: int) -> int:
    return -(-tokens // _GRAIN_TOKENS) * _GRAIN_TOKENS
