"""What a conversation consists of, and the events it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from phicli.answering.encode import SpecialTokens
from phicli.chat_format.types import Piece, PromptFormat, ToolCall
from phicli.engine.types import Engine, Prefill, Timings, Usage

FinishReason = Literal["stop", "length", "tool_calls", "interrupted"]


@dataclass(frozen=True, slots=True)
class ChatModel:
    """What a conversation needs to know of a model file.

    ``format_for`` makes the prompt format, given the loaded engine: most formats ignore it, the format of a file
    that is no Phi asks it for the file's own template.
    """

    name: str
    quant: str | None
    special_tokens: SpecialTokens
    bos_id: int | None
    format_for: Callable[[Engine], PromptFormat]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know while the answer comes, one line."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished (or interrupted) answer.

    ``ttft_ms`` is the time from asking to the first visible piece, waiting for the model to load included; None
    when none came. ``context_tokens`` is the allocated context, ``used_tokens`` what the conversation fills of it.
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
    context_tokens: int
    used_tokens: int


Event = Prefill | Piece | Notice | Answer
