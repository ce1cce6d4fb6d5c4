"""Checks a prompt before an engine evaluates it."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.errors import ContextExceededError, EngineError


def check_prompt(prompt: Sequence[int], context_tokens: int) -> None:
    """Return if ``prompt`` leaves room for an answer in the context.

    Raises:
        EngineError: the prompt is empty.
        ContextExceededError: the prompt leaves no room.
    """
    if not prompt:
        raise EngineError("the prompt has no tokens", "give a prompt")
    if len(prompt) >= context_tokens:
        message = f"the prompt has {len(prompt)} tokens, but the context has only {context_tokens}"
        raise ContextExceededError(message, f"shorten it, or use a larger --context (above {len(prompt)})")
