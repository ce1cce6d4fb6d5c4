"""An answer while it is being made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from phicli.answering.likely_tokens import LikelyTokens
from phicli.answering.types import Answer, FinishReason
from phicli.chat_format.types import Piece, ToolCall
from phicli.engine.types import Chunk, Done, Engine, Timings, Usage


@dataclass(frozen=True, slots=True)
class Mark:
    """How far an answer was, to go back to."""

    text: str
    raw: str
    completion_tokens: int
    token_ids: tuple[int, ...] | None


@dataclass(slots=True)
class Draft:
    """What is known of an answer so far; it may take several generations when its context grows on the way.

    ``raw`` is all generated text, ``token_ids`` are all generated ids, None once some are unknown. ``parts`` are those
    of the current generation in turn: ids, and text where the ids are unknown. ``whole_tokens`` are those of the last
    generation that ended whose text has come. ``prompt_tokens`` and ``completion_tokens`` are those of the answer; a
    later generation has another prompt, with what was generated before in it. ``likely`` collects the probabilities of
    the tokens where these were asked for. ``looked_tokens`` of the prompt were processed for a look already.
    """

    started: float
    likely: LikelyTokens | None = None
    text: str = ""
    reasoning: str = ""
    raw: str = ""
    parts: list[tuple[int, ...] | str] = field(default_factory=list)
    token_ids: tuple[int, ...] | None = ()
    finish_reason: FinishReason = "interrupted"
    stopped_by: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    whole_tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int = 0
    context_tokens: int = 0
    timings: Timings | None = None
    load_ms: float = 0.0
    looked_tokens: int = 0
    ttft_ms: float | None = None
    _shown: int = 0
    _read_tokens: int = 0
    _streamed_tokens: int = 0
    _earlier_ids: tuple[int, ...] | None = ()
    _stopped: float | None = None
    _complete: Answer | None = None

    def begin(self, engine: Engine, prompt_tokens: int) -> None:
        """A generation starts on ``engine`` after so many tokens."""
        self.context_tokens, self.load_ms = engine.context_tokens, self.load_ms or engine.load_ms
        self.parts, self._read_tokens, self._streamed_tokens = [], prompt_tokens, 0

    def generated(self, chunk: Chunk) -> None:
        """Take generated text as it comes from the engine."""
        if self.likely is not None:
            self.likely.add(len(self.raw), chunk.likely)
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
        if piece.kind == "reasoning":
            self.reasoning += piece.text
            return piece
        new = piece.text[max(self._shown - len(self.text), 0) :]
        self.text += piece.text
        self._shown = max(self._shown, len(self.text))
        return Piece("text", new)

    def mark(self) -> Mark:
        """How far the answer is now, between two generations."""
        return Mark(self.text, self.raw, self.completion_tokens, self.token_ids)

    def back_to(self, mark: Mark) -> None:
        """Forget what was generated since ``mark``; text that was shown is not shown again."""
        self.text, self.raw = mark.text, mark.raw
        self.completion_tokens, self.token_ids = mark.completion_tokens, mark.token_ids
        if self.likely is not None:
            self.likely.forget_from(len(self.raw))

    def looked(self, done: Done) -> None:
        """Take the times and the cached tokens of a generation that was only a look: its tokens do not count."""
        self.cached_tokens = done.usage.cached_tokens if self.cached_tokens is None else self.cached_tokens
        self.timings, self.looked_tokens = done.timings, done.usage.prompt_tokens

    def ended(self, done: Done) -> None:
        """A generation is over: the answer is, or the allocated context."""
        self.finish_reason = done.finish_reason
        self.completion_tokens += done.usage.completion_tokens
        self._read_tokens += done.usage.completion_tokens
        self.whole_tokens, self._streamed_tokens = self._streamed_tokens, 0
        self.cached_tokens = done.usage.cached_tokens if self.cached_tokens is None else self.cached_tokens
        self.timings = done.timings if self.timings is None else _joined(self.timings, done)
        self._earlier_ids = self.token_ids
        self.token_ids = _together(self._earlier_ids, done.token_ids)

    def goes_on(self, last: Done, token_ids: tuple[int, ...] | None) -> None:
        """Continue the answer after the text of its ``last`` generation; ``token_ids`` are its tokens, None if unknown.

        Tokens behind that text, which were the beginning of a character, are generated again.
        """
        self.completion_tokens -= last.usage.completion_tokens - self.whole_tokens
        self.token_ids = _together(self._earlier_ids, token_ids)

    def complete(self, tool_calls: tuple[ToolCall, ...], *, over: bool, stopped_by: str | None) -> Answer:
        """The answer, now that its last generation has ended; ``over`` where it was not the engine that ended it."""
        self.stop_clock()
        self.tool_calls, self.stopped_by = tool_calls, stopped_by
        self.finish_reason = "stop" if over else self.finish_reason
        calls = bool(tool_calls) and self.finish_reason == "stop"
        self._complete = self._answer("tool_calls" if calls else self.finish_reason)
        return self._complete

    @property
    def generated_tokens(self) -> int:
        """The tokens of the answer so far."""
        return self.completion_tokens + self._streamed_tokens

    def stop_clock(self) -> None:
        """Nothing is generated from now on; does nothing the second time."""
        if self._stopped is None:
            self._stopped = time.monotonic()

    def so_far(self) -> Answer:
        """What there is, as an answer; counts of an interrupted generation are those seen in the stream."""
        return self._complete or self._answer("interrupted")

    def _answer(self, finish_reason: FinishReason) -> Answer:
        as_generated = finish_reason in ("stop", "length") and self.text == self.raw and not self.tool_calls
        return Answer(
            text=self.text,
            reasoning=self.reasoning,
            tool_calls=self.tool_calls,
            finish_reason=finish_reason,
            usage=Usage(self.prompt_tokens, self.generated_tokens, self.cached_tokens or 0),
            timings=self.timings,
            load_ms=self.load_ms,
            ttft_ms=self.ttft_ms,
            total_ms=((self._stopped or time.monotonic()) - self.started) * 1000,
            context_tokens=self.context_tokens,
            used_tokens=self._read_tokens + self._streamed_tokens,
            token_ids=self.token_ids if as_generated else None,
            stopped_by=self.stopped_by,
            reasoning_tokens=self.reasoning_tokens,
            likely=None if self.likely is None else self.likely.of_answer(self.raw, self.reasoning, self.text),
        )


def _together(earlier: tuple[int, ...] | None, later: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if earlier is None or later is None else (*earlier, *later)


def _joined(first: Timings, done: Done) -> Timings:
    """The times of two generations that make one answer; the rates weighted by their times.

    Where the second one goes on from a state, it evaluates a single token: the last that was generated, no prompt.
    """
    second = done.timings
    goes_on = done.usage.prompt_tokens - done.usage.cached_tokens <= 1
    read_ms, read_tokens = second.prompt_ms, second.prompt_tps * second.prompt_ms
    prompt_ms = first.prompt_ms + (0.0 if goes_on else read_ms)
    decode_ms = first.decode_ms + second.decode_ms + (read_ms if goes_on else 0.0)
    prompt_tokens = first.prompt_tps * first.prompt_ms + (0.0 if goes_on else read_tokens)
    decode_tokens = first.decode_tps * first.decode_ms + second.decode_tps * second.decode_ms
    decode_tokens += read_tokens if goes_on else 0.0
    return Timings(
        prompt_ms=prompt_ms,
        decode_ms=decode_ms,
        prompt_tps=prompt_tokens / prompt_ms if prompt_ms else 0.0,
        decode_tps=decode_tokens / decode_ms if decode_ms else 0.0,
    )
