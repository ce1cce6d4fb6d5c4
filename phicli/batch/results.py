"""The result of a row, as the journal saves it and as a line of JSON has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from phicli.answering.formed import FormError
from phicli.answering.types import Answer
from phicli.batch.types import Row
from phicli.chat_format.types import ToolCall
from phicli.errors import PhiError

_MORE: Final = ("errors", "text", "finish_reason", "attempts")
"""What is known of an answer that does not count."""


class Results(Protocol):
    """Makes the result of a row."""

    def answered(self, row: Row, answers: Sequence[Answer], model: str) -> dict[str, Any]:
        """Of a row that was answered by ``model``, with as many answers as it wanted."""

    def failed(self, row: Row, error: PhiError) -> dict[str, Any]:
        """Of a row that was not answered."""


class PlainResults:
    """Results of rows that are prompts or messages."""

    def answered(self, row: Row, answers: Sequence[Answer], model: str) -> dict[str, Any]:
        """See :class:`Results`; rows of this kind want one answer."""
        (answer,) = answers
        return {
            "id": row.name(),
            "text": answer.text,
            "parsed": answer.parsed,
            "tool_calls": [_call_data(call) for call in answer.tool_calls],
            "reasoning": answer.reasoning,
            "usage": usage_data(answer),
            "finish_reason": answer.finish_reason,
            "model": model,
            "error": None,
        }

    def failed(self, row: Row, error: PhiError) -> dict[str, Any]:
        """See :class:`Results`."""
        answer = error.answer if isinstance(error, FormError) else None
        return {
            "id": row.name(),
            "text": None,
            "parsed": None,
            "tool_calls": [],
            "reasoning": "" if answer is None else answer.reasoning,
            "usage": None if answer is None else usage_data(answer),
            "finish_reason": None,
            "model": None,
            "error": error_data(error),
        }


def saved(row: Row, result: Mapping[str, Any], *, broken: bool = False) -> dict[str, Any]:
    """What the journal has of a row; a ``broken`` one cannot be asked, however often."""
    return {"line": row.line, "out": result, **({"broken": True} if broken else {})}


def is_broken(data: Mapping[str, Any]) -> bool:
    """Whether the row that the journal has ``data`` of cannot be asked."""
    return data.get("broken") is True


def is_result(data: Mapping[str, Any]) -> bool:
    """Whether ``data`` are what :func:`saved` makes."""
    return isinstance(data.get("line"), int) and isinstance(data.get("out"), dict)


def usage_data(answer: Answer) -> dict[str, int]:
    """The tokens of an answer."""
    usage = answer.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": answer.reasoning_tokens,
    }


def error_data(error: PhiError) -> dict[str, Any]:
    """Why there is no answer; with what is known of one that does not count."""
    known: Mapping[str, Any] = error.data or {}
    more = {name: known[name] for name in _MORE if name in known} if isinstance(error, FormError) else {}
    return {"code": error.code, "message": error.message, **more}


def reason_in(result: Mapping[str, Any]) -> str:
    """Why the row of a ``result`` failed, for people."""
    error = result.get("error")
    if isinstance(error, Mapping):
        return str(error.get("message"))
    body = (result.get("response") or {}).get("body") or {}
    return str((body.get("error") or {}).get("message"))


def tokens_in(result: Mapping[str, Any]) -> tuple[int, int, int]:
    """The tokens of a ``result``: of the prompt, of those the ones that were evaluated before, and of the answer."""
    usage = result.get("usage") or ((result.get("response") or {}).get("body") or {}).get("usage")
    if not isinstance(usage, Mapping):
        return 0, 0, 0
    cached = usage.get("cached_tokens", (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
    return usage["prompt_tokens"], cached, usage["completion_tokens"]


def was_cut_off(result: Mapping[str, Any]) -> bool:
    """Whether an answer of a ``result`` was ended by the limit of tokens."""
    choices = ((result.get("response") or {}).get("body") or {}).get("choices") or [result]
    return any(choice.get("finish_reason") == "length" for choice in choices)


def _call_data(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": dict(call.arguments)}
