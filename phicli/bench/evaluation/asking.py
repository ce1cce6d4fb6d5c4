"""From questions to requests, and from what became of these to replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.bench.evaluation.types import Item, Reply
from phicli.chat_format.types import Message
from phicli.errors import ContextExceededError, UsageError
from phicli.jobs.workers import Outcome


def asked_of(item: Item, model: str, sampling: Mapping[str, Any]) -> Asked:
    """The request that asks ``model`` this question, in a conversation of its own.

    Args:
        item: the question; it may have another limit of tokens. That of a question from training data is the least.
        model: its name.
        sampling: how tokens are chosen, by the fields of :class:`~phicli.engine.types.Sampling`.
    """
    if item.talk is not None:
        room = {} if item.max_tokens is None else {"max_tokens": max(item.max_tokens, sampling.get("max_tokens", 0))}
        return Asked(model, item.talk.before, tools=item.talk.tools, sampling={**sampling, **room})
    system = () if item.system is None else (Message("system", item.system),)
    most = {} if item.max_tokens is None else {"max_tokens": item.max_tokens}
    return Asked(model, (*system, Message("user", item.prompt)), sampling={**sampling, **most})


def reply_of(item: Item, outcome: Outcome) -> Reply:
    """What the model said; a question that could not be answered has a reply that failed.

    Raises:
        UsageError: the model has no place for a message.
    """
    error = outcome.error
    if isinstance(error, UsageError) and item.talk is not None:
        raise UsageError(f"{item.item_id}: {error.message}", "leave this line out, or use another model") from error
    if isinstance(error, UsageError):
        raise UsageError(f"{item.item_id}: {error.message}", "ask without a system message") from error
    if isinstance(error, ContextExceededError):
        tokens = (error.data or {}).get("prompt_tokens", 0)
        return Reply.none("context", error.message, prompt_tokens=int(tokens))
    if error is not None:
        return Reply.none("error", error.message)
    assert outcome.answer is not None  # noqa: S101 (it is one of the two)
    return _reply(outcome.answer)


def _reply(answer: Answer) -> Reply:
    timings = answer.timings
    return Reply(
        text=answer.text.strip(),
        reasoning=answer.reasoning,
        finish_reason="length" if answer.finish_reason == "length" else "stop",
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        prompt_ms=timings.prompt_ms if timings else 0.0,
        decode_ms=timings.decode_ms if timings else 0.0,
        total_ms=answer.total_ms,
        tool_calls=tuple({"name": call.name, "arguments": dict(call.arguments)} for call in answer.tool_calls),
    )
