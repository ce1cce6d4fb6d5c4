"""A prompt format, shown on an example."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from phicli.chat_format import FORMAT_NAMES, format_by_name
from phicli.chat_format.types import Message, Segment, Special

_SYSTEM: Final = Message("system", "You are a helpful assistant.")
_USER: Final = Message("user", "How do I boil an egg?")
_CODE: Final = Message("user", 'def is_prime(number: int) -> bool:\n    """Whether the number is prime."""\n')
_BASE_MODELS: Final = ("completion", "completion-qa")
_FIRST_SENTENCE: Final = re.compile(r".+?[.!?](?=\s+\S)", re.DOTALL)


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

    @property
    def asks_for_system(self) -> bool:
        """Whether it has a system message that is sent only to who asks for one."""
        return _SYSTEM in self.messages


def prompt_example(
    name: str | None, *, reasoning: bool = False, system_prompt: str | None = None
) -> PromptExample | None:
    """The format called ``name`` on an example; None without a format of our own.

    ``system_prompt`` is the variant's own, of which the first sentence is shown. Without one there is an example of a
    system message, to show its place, but none for base models, which are not told how to behave.
    """
    if name not in FORMAT_NAMES:
        return None
    prompt_format = format_by_name(name, reasoning=reasoning)
    messages: tuple[Message, ...] = (_CODE if name == "completion" else _USER,)
    if system_prompt:
        messages = (Message("system", _abbreviated(system_prompt)), *messages)
    elif name not in _BASE_MODELS:
        messages = (_SYSTEM, *messages)
    segments = prompt_format.render(messages)
    return PromptExample(messages, segments, prompt_format.stop_tokens, prompt_format.stop_strings)


def spelled(segment: Segment) -> str:
    """A segment as text."""
    return segment.literal if isinstance(segment, Special) else segment.text


def _abbreviated(prompt: str) -> str:
    """The first sentence of ``prompt``, with an ellipsis where there is more."""
    first = _FIRST_SENTENCE.match(prompt)
    return f"{first[0]} …" if first else prompt
