"""Writes the reply to a request for a completion: whole, or as the chunks of a stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Piece
from phicli.engine.logprobs import Likely
from phicli.server.openai.logprobs import completion_logprobs
from phicli.server.openai.reply import Reply
from phicli.server.openai.usage import finish_reason
from phicli.server.scoring import ScoredPiece


class CompletionReply(Reply):
    """The reply to one request."""

    id_begins: ClassVar[str] = "cmpl"
    whole_object: ClassVar[str] = "text_completion"
    chunk_object: ClassVar[str] = "text_completion"

    def __init__(self, model: str, *, usage_chunk: bool = False) -> None:
        super().__init__(model, usage_chunk=usage_chunk)
        self._scored: Counter[int] = Counter()
        self._spelled: Counter[int] = Counter()
        """How many tokens of each answer were sent with their probabilities, and characters of them."""

    def chunks(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that ``event`` of the answer number ``index`` makes."""
        if isinstance(event, Piece):
            likely = self._likely(index, event.likely) if isinstance(event, ScoredPiece) else None
            yield self._chunk({"index": index, "text": event.text, "logprobs": likely, "finish_reason": None})
        elif isinstance(event, Answer):
            rest = (event.likely or ())[self._scored[index] :]
            likely = self._likely(index, rest) if rest else None
            yield self._chunk({**self._choice(index, event), "text": "", "logprobs": likely})

    def _likely(self, index: int, tokens: Sequence[Likely]) -> dict[str, Any] | None:
        """The probabilities of ``tokens``, which follow those that were sent."""
        offset = self._spelled[index]
        self._scored[index] += len(tokens)
        self._spelled[index] += sum(len(one.text) for one in tokens)
        return completion_logprobs(tokens, offset)

    def _choice(self, index: int, answer: Answer) -> dict[str, Any]:
        return {
            "index": index,
            "text": answer.text,
            "logprobs": completion_logprobs(answer.likely, 0),
            "finish_reason": finish_reason(answer),
        }
