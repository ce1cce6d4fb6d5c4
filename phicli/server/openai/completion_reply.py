"""Writes the reply to a request for a completion: whole, or as the chunks of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Piece
from phicli.server.openai.logprobs import completion_logprobs
from phicli.server.openai.reply import Reply
from phicli.server.openai.usage import finish_reason


class CompletionReply(Reply):
    """The reply to one request."""

    id_begins: ClassVar[str] = "cmpl"
    whole_object: ClassVar[str] = "text_completion"
    chunk_object: ClassVar[str] = "text_completion"

    def chunks(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that ``event`` of the answer number ``index`` makes."""
        if isinstance(event, Piece):
            yield self._chunk({"index": index, "text": event.text, "logprobs": None, "finish_reason": None})
        elif isinstance(event, Answer):
            yield self._chunk({**self._choice(index, event), "text": ""})

    def _choice(self, index: int, answer: Answer) -> dict[str, Any]:
        return {
            "index": index,
            "text": answer.text,
            "logprobs": completion_logprobs(answer.likely, 0),
            "finish_reason": finish_reason(answer),
        }
