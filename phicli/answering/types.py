"""Messages in, events out: the interface of every model, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, runtime_checkable

from phicli.chat_format.types import Message, Piece, ToolCall
from phicli.engine.closable import Closing
from phicli.engine.logprobs import Likely
from phicli.engine.types import Prefill, Sampling, Timings, Usage

FinishReason = Literal["stop", "length", "tool_calls", "interrupted"]
REPETITION: Final = "repetition"
_LEAST_MS: Final = 250.0
"""A shorter time says nothing of the speed of an answer that came over a network."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends an answer, beside the model and the limit of tokens.

    Attributes:
        stop_texts: the answer ends in front of the first of them; a special token of the file is meant as that token.
        brake: end an answer whose tail repeats itself exactly, at least 8 times over at least 200 tokens. Not for
            measurements.
        brake_held: the same for text that is held to a constraint, to which ``brake`` does not apply.
        think_tokens: end reasoning after so many tokens, and ask for the answer; None for no limit. With 0 the model
            is asked for the answer at once.
    """

    stop_texts: tuple[str, ...] = ()
    brake: bool = False
    brake_held: bool = False
    think_tokens: int | None = None


NO_ENDING: Final = Ending()
"""Nothing ends an answer but the model and the limit of tokens."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know while the answer comes, one line; ``ends_reasoning``: the reasoning is over."""

    text: str
    ends_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Undecided:
    """Text came; it is not known yet whether it is reasoning or a tool call; ``tokens`` of the answer so far."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Reasoned:
    """More reasoning was generated: it has so many ``tokens`` by now. Comes before the pieces it counts."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: complete, or as far as it came.

    Attributes:
        finish_reason: ``interrupted`` for an answer that is not complete.
        stopped_by: the stop text of :class:`Ending` that ended the answer, or ``repetition``; None for the usual ends.
        timings: of the engine; None where it reports none, or has not yet.
        ttft_ms: from asking to the first visible piece, waiting for the model to load included; None when none came.
        context_tokens: the allocated context; None where it is unknown.
        used_tokens: what the conversation fills of it.
        token_ids: the generated ids where all are known and ``text`` is exactly what they spell.
        reasoning_tokens: how many of the generated tokens are reasoning, without the tags around it.
        parsed: the value of an answer that has a form; None for any other.
        attempts: how often the model was asked for it.
        sampled: how tokens were chosen in the last attempt; None where it was as asked for.
        likely: the tokens of ``text`` with their probabilities; None where these were not asked for.
    """

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    usage: Usage
    timings: Timings | None
    load_ms: float
    ttft_ms: float | None
    total_ms: float
    context_tokens: int | None
    used_tokens: int
    token_ids: tuple[int, ...] | None = None
    stopped_by: str | None = None
    reasoning_tokens: int = 0
    parsed: Any = None
    attempts: int = 1
    sampled: Sampling | None = None
    likely: tuple[Likely, ...] | None = None

    @property
    def only_reasoning(self) -> bool:
        """Whether the model reasoned and gave no answer."""
        return bool(self.reasoning.strip()) and not self.text.strip() and not self.tool_calls

    @property
    def tokens_per_s(self) -> float | None:
        """How fast it was generated: by the engine's clock, else by the time between its first piece and its end.

        None where neither says it: many endpoints send a short answer all at once.
        """
        if self.timings is not None:
            return self.timings.decode_tps or None
        time_ms, more = self.total_ms - (self.ttft_ms or self.total_ms), self.usage.completion_tokens - 1
        return more * 1000 / time_ms if time_ms >= _LEAST_MS and more > 0 else None

    @property
    def context_full(self) -> bool:
        """Whether the conversation fills the allocated context."""
        return self.context_tokens is not None and self.used_tokens >= self.context_tokens

    @property
    def message(self) -> Message:
        """The answer as a message of the conversation, for the next question."""
        return Message("assistant", self.text, self.tool_calls, self.token_ids)


Event = Prefill | Piece | Notice | Undecided | Reasoned | Answer
"""What happens while a model answers; the last event of an answer that was not closed is the ``Answer``."""


@runtime_checkable
class Answering(Protocol):
    """The events of one answer as they come. Nothing happens before the first one is asked for."""

    def __iter__(self) -> Iterator[Event]:
        """Itself."""

    def __next__(self) -> Event:
        """The next event.

        Raises:
            ContextExceededError: the conversation does not fit into the context.
            EngineError: the model cannot be loaded, or failed.
            UsageError: the model's prompt format has no place for a message.
        """

    def close(self) -> None:
        """Cancel the answer; safe to call twice, after the end, and from any thread.

        No more events come: an iteration that waits in another thread ends soon, without an ``Answer``.
        """

    def so_far(self) -> Answer:
        """The answer up to now, from any thread: ``interrupted`` unless it is complete."""


class Model(Protocol):
    """Something that answers conversations."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def quant(self) -> str | None:
        """The quantization of its weights; None where it is unknown."""

    @property
    def context_tokens(self) -> int | None:
        """The most tokens that a conversation with its answers may have; None where it is unknown."""

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> Answering:
        """Answer the last of ``messages``; one of the assistant without tool calls is continued.

        Args:
            messages: the conversation, oldest first.
            tools: declarations of tools as a JSON array, None for none.
            sampling: how tokens are chosen.
            ending: what else ends the answer.
        """

    def count(self, messages: Sequence[Message], *, tools: str | None = None, closing: Closing | None = None) -> int:
        """The tokens of the prompt that asks for an answer to ``messages``; ``closing`` ends the wait for the model.

        Raises:
            EngineError: the model cannot be loaded, or failed.
            UsageError: the model's prompt format has no place for a message.
        """

    def close(self) -> None:
        """Let go of everything; answers that still come fail. Safe to call twice, and from any thread."""
