"""A prompt format, shown on an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phicli.chat_format import FORMAT_NAMES, format_by_name
from phicli.chat_format.types import Message, Segment, Special
from phicli.errors import UsageError

_SYSTEM: Final = Message("system", "You are a helpful assistant.")
_USER: Final = Message("user", "How do I boil an egg?")


@dataclass(frozen=True, slots=True)
class PromptExample:
    """What a format makes of ``messages``: ``segments`` up to where the answer begins, and what ends an answer."""

    messages: tuple[Message, ...]
    segments: tuple[Segment, ...]
    stop_tokens: tuple[str, ...]
    stop_strings: tuple[str, ...]

    @property
    def text(self) -> str:
        """The prompt with its special tokens spelled out."""
        return "".join(spelled(segment) for segment in self.segments)


def prompt_example(name: str | None, *, reasoning: bool = False) -> PromptExample | None:
    """The format called ``name`` on a system and a user message; None without a format of our own.

    A format that has no place for a system message is shown on the user message alone.
    """
    if name not in FORMAT_NAMES:
        return None
    prompt_format = format_by_name(name, reasoning=reasoning)
    messages: tuple[Message, ...] = (_SYSTEM, _USER)
    try:
        segments = prompt_format.render(messages)
    except UsageError:
        messages = (_USER,)
        segments = prompt_format.render(messages)
    return PromptExample(messages, segments, prompt_format.stop_tokens, prompt_format.stop_strings)


def spelled(segment: Segment) -> str:
    """A segment as text."""
    return segment.literal if isinstance(segment, Special) else segment.text
