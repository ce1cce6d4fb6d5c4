"""An answer while it is being made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from phicli.answering.types import Answer, FinishReason
from phicli.chat_format.types import Piece, ToolCall
from phicli.engine.types import Chunk, Done, Engine, Timings, Usage


@dataclass(slots=True)
class Draft:
    """What is known of an answer so far; it may take several generations when its context grows on the way.

    ``raw`` is all generated text, ``token_ids`` are all generated ids, None once some are unknown. ``parts`` are those
    of the current generation in turn: ids, and text where the ids are unknown. ``prompt_tokens`` and
    ``completion_tokens`` are those of the answer; a later generation has another prompt, with what was generated
    before in it.
    """

    started: float
    text: str = ""
    reasoning: str = ""
    raw: str = ""
    parts: list[tuple[int, ...] | str] = field(default_factory=list)
    token_ids: tuple[int, ...] | None = ()
    finish_reason: FinishReason = "interrupted"
    stopped_by: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    context_tokens: int = 0
    timings: Timings | None = None
    load_ms: float = 0.0
    ttft_ms: float | None = None
    _read_tokens: int = 0
    _streamed_tokens: int = 0
    _stopped: float | None = None
    _complete: Answer | None = None

    def begin(self, engine: Engine, prompt_tokens: int) -> None:
        """A generation starts on ``engine`` after so many tokens."""
        self.context_tokens, self.load_ms = engine.context_tokens, engine.load_ms
        self.parts, self._read_tokens, self._streamed_tokens = [], prompt_tokens, 0

    def generated(self, chunk: Chunk) -> None:
        """Take generated text as it comes from the engine."""
        self.raw += chunk.text
        if chunk.token_ids is not None:
            self.parts.append(chunk.token_ids)
        elif self.parts and isinstance(self.parts[-1], str):
            self.parts[-1] += chunk.text
        else:
            self.parts.append(chunk.text)
        self._streamed_tokens += chunk.tokens

    def add(self, piece: Piece) -> Piece:
        """Take a piece that is about to be shown."""
        if self.ttft_ms is None:
            self.ttft_ms = (time.monotonic() - self.started) * 1000
        if piece.kind == "text":
            self.text += piece.text
        else:
            self.reasoning += piece.text
        return piece

    def ended(self, done: Done) -> None:
        """A generation is over: the answer is, or the allocated context."""
        self.finish_reason = done.finish_reason
        self.completion_tokens += done.usage.completion_tokens
        self._read_tokens += done.usage.completion_tokens
        self._streamed_tokens = 0
        self.cached_tokens = done.usage.cached_tokens if self.cached_tokens is None else self.cached_tokens
        self.timings = done.timings if self.timings is None else _joined(self.timings, done.timings)
        known = self.token_ids is not None and done.token_ids is not None
        self.token_ids = (*(self.token_ids or ()), *(done.token_ids or ())) if known else None

    def complete(self, tool_calls: tuple[ToolCall, ...], *, over: bool, stopped_by: str | None) -> Answer:
        """The answer, now that its last generation has ended; ``over`` where it was not the engine that ended it."""
        self.stop_clock()
        self.tool_calls, self.stopped_by = tool_calls, stopped_by
        self.finish_reason = "stop" if over else self.finish_reason
        calls = bool(tool_calls) and self.finish_reason == "stop"
        self._complete = self._answer("tool_calls" if calls else self.finish_reason)
        return self._complete

    def stop_clock(self) -> None:
        """Nothing is generated from now on; does nothing the second time."""
        if self._stopped is None:
            self._stopped = time.monotonic()

    def so_far(self) -> Answer:
        """What there is, as an answer; counts of an interrupted generation are those seen in the stream."""
        return self._complete or self._answer("interrupted")

    def _answer(self, finish_reason: FinishReason) -> Answer:
        completion = self.completion_tokens + self._streamed_tokens
        as_generated = finish_reason in ("stop", "length") and self.text == self.raw and not self.tool_calls
        return Answer(
            text=self.text,
            reasoning=self.reasoning,
            tool_calls=self.tool_calls,
            finish_reason=finish_reason,
            usage=Usage(self.prompt_tokens, completion, self.cached_tokens or 0),
            timings=self.timings,
            load_ms=self.load_ms,
            ttft_ms=self.ttft_ms,
            total_ms=((self._stopped or time.monotonic()) - self.started) * 1000,
            context_tokens=self.context_tokens,
            used_tokens=self._read_tokens + self._streamed_tokens,
            token_ids=self.token_ids if as_generated else None,
            stopped_by=self.stopped_by,
        )


def _joined(first: Timings, second: Timings) -> Timings:
    """The times of two generations that make one answer; the rates weighted by their times."""
    prompt_ms, decode_ms = first.prompt_ms + second.prompt_ms, first.decode_ms + second.decode_ms

    def rate(one: float, one_ms: float, two: float, two_ms: float) -> float:
        return (one * one_ms + two * two_ms) / (one_ms + two_ms) if one_ms + two_ms else 0.0

    return Timings(
        prompt_ms=prompt_ms,
        decode_ms=decode_ms,
        prompt_tps=rate(first.prompt_tps, first.prompt_ms, second.prompt_tps, second.prompt_ms),
        decode_tps=rate(first.decode_tps, first.decode_ms, second.decode_tps, second.decode_ms),
    )
