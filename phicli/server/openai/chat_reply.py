"""Writes the reply to a request for a chat completion: whole, or as the chunks of a stream."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Piece, ToolCall


class ChatReply:
    """The reply to one request; ``model`` is the name that was asked for."""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}
        self._begun: set[int] = set()

    def whole(self, answers: Iterable[Answer]) -> dict[str, Any]:
        """The reply with all ``answers``."""
        answers = list(answers)
        choices = [_choice(index, answer) for index, answer in enumerate(answers)]
        return {**self._head, "object": "chat.completion", "choices": choices, "usage": usage(answers)}

    def chunks(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that ``event`` of the answer number ``index`` makes."""
        if isinstance(event, Piece):
            field = "content" if event.kind == "text" else "reasoning_content"
            yield self._chunk(index, {**self._role(index), field: event.text})
        elif isinstance(event, Answer):
            if event.tool_calls:
                calls = [{"index": at, **call_data(call)} for at, call in enumerate(event.tool_calls)]
                yield self._chunk(index, {**self._role(index), "tool_calls": calls})
            yield self._chunk(index, self._role(index), finish_reason(event))

    def usage_chunk(self, answers: Iterable[Answer]) -> dict[str, Any]:
        """The last chunk of a stream whose usage is wanted."""
        return {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage(list(answers))}

    def _role(self, index: int) -> dict[str, Any]:
        if index in self._begun:
            return {}
        self._begun.add(index)
        return {"role": "assistant"}

    def _chunk(self, index: int, delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": index, "delta": dict(delta), "logprobs": None, "finish_reason": reason}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}


def finish_reason(answer: Answer) -> str:
    """Why an answer ended, in OpenAI's words."""
    return "stop" if answer.finish_reason == "interrupted" else answer.finish_reason


def call_data(call: ToolCall) -> dict[str, Any]:
    """A tool call as OpenAI has it, with a fresh id."""
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}


def usage(answers: list[Answer]) -> dict[str, Any]:
    """The tokens of ``answers`` to one prompt, which counts once."""
    prompt = answers[0].usage.prompt_tokens if answers else 0
    completion = sum(answer.usage.completion_tokens for answer in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": answers[0].usage.cached_tokens if answers else 0},
        "completion_tokens_details": {"reasoning_tokens": sum(answer.reasoning_tokens for answer in answers)},
    }


def _choice(index: int, answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.text or None if answer.tool_calls else answer.text,
    }
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [call_data(call) for call in answer.tool_calls]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_reason(answer)}
