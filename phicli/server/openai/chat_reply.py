"""Writes the reply to a request for a chat completion: whole, or as the chunks of a stream."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Piece, ToolCall
from phicli.server.openai.logprobs import chat_logprobs
from phicli.server.openai.reply import Reply
from phicli.server.openai.usage import finish_reason
from phicli.server.scoring import ScoredPiece


class ChatReply(Reply):
    """The reply to one request."""

    id_begins: ClassVar[str] = "chatcmpl"
    whole_object: ClassVar[str] = "chat.completion"
    chunk_object: ClassVar[str] = "chat.completion.chunk"

    def __init__(self, model: str, *, usage_chunk: bool = False) -> None:
        super().__init__(model, usage_chunk=usage_chunk)
        self._begun: set[int] = set()
        self._scored: Counter[int] = Counter()
        """How many tokens of each answer were sent with their probabilities."""

    def chunks(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that ``event`` of the answer number ``index`` makes: first of all, one with the role."""
        if index not in self._begun:
            self._begun.add(index)
            yield self._delta(index, {"role": "assistant"})
        if isinstance(event, ScoredPiece):
            self._scored[index] += len(event.likely)
            yield self._delta(index, {"content": event.text}, logprobs=chat_logprobs(event.likely))
        elif isinstance(event, Piece):
            yield self._delta(index, {"content" if event.kind == "text" else "reasoning_content": event.text})
        elif isinstance(event, Answer):
            for at, call in enumerate(event.tool_calls):
                yield from self._call(index, at, call)
            if rest := (event.likely or ())[self._scored[index] :]:
                yield self._delta(index, {"content": ""}, logprobs=chat_logprobs(rest))
            yield self._delta(index, {}, finish_reason(event))

    def _call(self, index: int, at: int, call: ToolCall) -> Iterator[dict[str, Any]]:
        """A tool call: its name, and behind it its arguments, as clients put them together."""
        data = call_data(call)
        arguments = data["function"].pop("arguments")
        data["function"]["arguments"] = ""
        yield self._delta(index, {"tool_calls": [{"index": at, **data}]})
        yield self._delta(index, {"tool_calls": [{"index": at, "function": {"arguments": arguments}}]})

    def _delta(
        self, index: int, delta: Mapping[str, Any], reason: str | None = None, logprobs: Any = None
    ) -> dict[str, Any]:
        return self._chunk({"index": index, "delta": dict(delta), "logprobs": logprobs, "finish_reason": reason})

    def _choice(self, index: int, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": (answer.text or None) if answer.tool_calls else answer.text,
            "refusal": None,
        }
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [call_data(call) for call in answer.tool_calls]
        return {
            "index": index,
            "message": message,
            "logprobs": chat_logprobs(answer.likely),
            "finish_reason": finish_reason(answer),
        }


def call_data(call: ToolCall) -> dict[str, Any]:
    """A tool call as OpenAI has it, with a fresh id."""
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
