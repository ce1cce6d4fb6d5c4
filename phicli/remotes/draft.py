"""The answer of a remote while it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from phicli.answering.likely_tokens import LikelyTokens
from phicli.answering.repetition import Repetition
from phicli.answering.stop_texts import StopTexts
from phicli.answering.types import REPETITION, Answer, Event, FinishReason, Notice, Reasoned, Undecided
from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.types import Piece, ToolCall
from phicli.engine.endpoint.deltas import Delta, End
from phicli.engine.types import Chunk, Usage
from phicli.remotes.calls import CallsDraft
from phicli.remotes.request import RemoteRequest

_LENGTH: Final = frozenset({"length", "max_tokens", "max_length", "max_output_tokens", "model_length"})
_ENDS: Final = frozenset({"stop", "tool_calls", "function_call", "eos", "eos_token", "end_turn", "stop_sequence"})
_OVER_LIMIT: Final = 16
"""So many more pieces than tokens were allowed: each has a token at least, so the endpoint ignores the limit."""


class RemoteDraft:
    """What is known of an answer so far.

    Reasoning comes in a field of its own, or between tags in the text; tool calls too come in a field, or are found in
    the text of a server that does not look for them.

    Args:
        request: what was asked.
        prompt_tokens: an estimate, for endpoints that do not count.
        context_tokens: of the model, None where it is unknown.
    """

    def __init__(self, request: RemoteRequest, prompt_tokens: int, context_tokens: int | None) -> None:
        sampling, ending = request.sampling, request.ending
        self._started = time.monotonic()
        self._stopped: float | None = None
        self._prompt_tokens, self._context_tokens = prompt_tokens, context_tokens
        self._most = sampling.max_tokens
        self._parser = AnswerReader(reasoning=True, tools=request.tools is not None)
        self._begun = request.begun  # what some endpoints repeat in front of the rest
        if self._begun:
            self._parser.take_as_it_is()
        self._stops = StopTexts(ending.stop_texts)
        brake = ending.brake if sampling.constraint is None else ending.brake_held
        self._repetition = Repetition() if brake else None
        self._calls = CallsDraft()
        self._likely = None if sampling.likeliest is None else LikelyTokens()
        self._raw = self._text = self._reasoning = ""
        self._separate = False  # the endpoint takes the reasoning out of the text
        self._chunks = self._reasoning_chunks = 0
        self._ttft_ms: float | None = None
        self._stopped_by: str | None = None
        self._over_limit = False
        self._complete: Answer | None = None

    @property
    def over(self) -> bool:
        """Whether the answer is over, whatever the endpoint would still send."""
        return self._stops.found is not None or self._stopped_by is not None or self._over_limit

    @property
    def began(self) -> bool:
        """Whether anything has come."""
        return self._chunks > 0

    def take(self, delta: Delta) -> Iterator[Event]:
        """The events that are certain with the next text."""
        self._chunks += 1
        if self._likely is not None:
            self._likely.add(len(self._raw), delta.likely)
        text = self._without_begun(delta.text)
        self._raw += delta.reasoning + text
        if delta.reasoning:
            yield from self._reasoned(delta.reasoning)
        if text:
            yield from self._pieces(self._parser.feed(text))
        self._calls.add(delta.calls)
        if delta.calls or self._parser.waiting:
            yield Undecided(self._chunks)
        said = delta.reasoning + text
        if said and self._repetition is not None and self._repetition.add(Chunk(said, None, 1)):
            self._stopped_by = REPETITION
        if self._most is not None and self._chunks > self._most + _OVER_LIMIT:
            self._over_limit = True

    def finish(self, end: End | None) -> Iterator[Event]:
        """The last events, the answer among them; ``end`` is None where we ended it."""
        yield from self._pieces(self._parser.finish())
        if rest := self._stops.finish():
            yield self._shown(Piece("text", rest))
        calls, broken = self._calls.finish()
        reason = self._reason(end)
        if broken and reason != "length":
            yield self._shown(Piece("text", broken))
        self._stopped = time.monotonic()
        yield from self._remarks(end)
        calls = (*self._parser.tool_calls, *calls)
        self._complete = self._answer(end, calls, "tool_calls" if calls and reason == "stop" else reason)
        yield self._complete

    def stop_clock(self) -> None:
        """Nothing comes from now on."""
        self._stopped = self._stopped or time.monotonic()

    def so_far(self) -> Answer:
        """What there is, as an answer."""
        return self._complete or self._answer(None, self._parser.tool_calls, "interrupted")

    def _reasoned(self, text: str) -> Iterator[Event]:
        if not self._separate:
            self._separate = True
            self._parser.take_as_it_is()
        self._reasoning_chunks += 1
        yield Reasoned(self._reasoning_chunks)
        yield self._shown(Piece("reasoning", text))

    def _pieces(self, pieces: Sequence[Piece]) -> Iterator[Event]:
        if any(piece.kind == "reasoning" for piece in pieces):
            self._reasoning_chunks += 1
            yield Reasoned(self._reasoning_chunks)
        for piece in pieces:
            if piece.kind == "reasoning":
                yield self._shown(piece)
            elif text := self._stops.feed(piece.text):
                yield self._shown(Piece("text", text))

    def _shown(self, piece: Piece) -> Piece:
        if self._ttft_ms is None:
            self._ttft_ms = (time.monotonic() - self._started) * 1000
        if piece.kind == "reasoning":
            self._reasoning += piece.text
        else:
            self._text += piece.text
        return piece

    def _without_begun(self, text: str) -> str:
        """``text`` without the beginning of the answer that the endpoint was given, and may repeat."""
        if not self._begun:
            return text
        shared = 0
        for mine, other in zip(self._begun, text, strict=False):
            if mine != other:
                break
            shared += 1
        self._begun = self._begun[shared:] if shared == len(text) else ""
        return text[shared:]

    def _reason(self, end: End | None) -> FinishReason:
        if self._over_limit or (end is not None and (end.finish_reason or "").lower() in _LENGTH):
            return "length"
        return "stop"

    def _remarks(self, end: End | None) -> Iterator[Notice]:
        """What a person should know of how it ended."""
        if self._over_limit:
            yield Notice(f"the endpoint ignores the limit of {self._most} tokens, so the answer was ended here")
        word = (end.finish_reason or "").lower() if end is not None else ""
        if word == "content_filter":
            yield Notice("a content filter of the endpoint ended the answer")
        elif word and word not in _LENGTH | _ENDS:
            yield Notice(f"the endpoint ended the answer for another reason: {word}")

    def _answer(self, end: End | None, calls: tuple[ToolCall, ...], reason: FinishReason) -> Answer:
        counted = end is not None and end.completion_tokens is not None
        prompt = self._prompt_tokens if end is None or end.prompt_tokens is None else end.prompt_tokens
        completion = self._chunks if end is None or end.completion_tokens is None else end.completion_tokens
        thought = end.reasoning_tokens if end is not None and end.reasoning_tokens else self._reasoning_chunks
        stopped_by = self._stops.found or self._stopped_by
        return Answer(
            text=self._text,
            reasoning=self._reasoning,
            tool_calls=calls,
            finish_reason=reason,
            usage=Usage(prompt, completion, end.cached_tokens if end is not None else 0),
            timings=None if end is None else end.timings,
            load_ms=0.0,
            ttft_ms=self._ttft_ms,
            total_ms=((self._stopped or time.monotonic()) - self._started) * 1000,
            context_tokens=self._context_tokens,
            used_tokens=prompt + completion,
            stopped_by=stopped_by or (end.stop_text if end is not None and reason == "stop" else None),
            reasoning_tokens=min(thought, completion) if counted else thought,
            likely=None if self._likely is None else self._likely.of_answer(self._raw, self._reasoning, self._text),
        )
