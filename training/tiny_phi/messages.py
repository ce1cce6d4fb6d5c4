"""Conversations and their rendering in Phi-4-mini's format.

The format has no newlines: ``<|system|>{s}<|end|><|user|>{u}<|end|><|assistant|>{a}<|end|>``. Tool declarations stand
inside the system message, between ``<|tool|>`` and ``<|/tool|>``; a tool's result is a ``<|tool_response|>`` turn.
Specials come only from here: text that spells ``<|end|>`` stays text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]

SPECIALS = (
    "<|endoftext|>",
    "<|endofprompt|>",
    "<|assistant|>",
    "<|end|>",
    "<|user|>",
    "<|system|>",
    "<|tool|>",
    "<|/tool|>",
    "<|tool_call|>",
    "<|/tool_call|>",
    "<|tool_response|>",
)
"""Phi-4-mini's special tokens, in the order of their ids there; tiny-phi puts them at the end of its vocabulary."""

_OPENERS: dict[str, str] = {
    "system": "<|system|>",
    "user": "<|user|>",
    "assistant": "<|assistant|>",
    "tool": "<|tool_response|>",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``calls`` are the tool calls of an assistant message, which then has no other content.

    An assistant message that is not ``learned`` is history that the model is not to produce in this form.
    """

    role: Role
    content: str
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    learned: bool = True

    @property
    def calls_json(self) -> str:
        """The calls as the model writes them between the tool call markers."""
        return json.dumps([{"name": name, "arguments": arguments} for name, arguments in self.calls])


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation; ``tools`` is the JSON text of the tools declared in its system message."""

    messages: tuple[Message, ...]
    tools: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A special token, or text that is only ever text; ``learned`` says that the model is to produce it."""

    text: str
    special: bool
    learned: bool = False


def user(content: str) -> Message:
    """A user message."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """An assistant message of plain text."""
    return Message("assistant", content)


def system(content: str) -> Message:
    """A system message."""
    return Message("system", content)


def segments(conversation: Conversation) -> Iterator[Segment]:
    """Render a whole conversation, the closing ``<|end|>`` of its last message included."""
    for message in conversation.messages:
        learned = message.role == "assistant" and message.learned
        yield Segment(_OPENERS[message.role], special=True)
        if message.calls:
            yield Segment("<|tool_call|>", special=True, learned=True)
            yield Segment(message.calls_json, special=False, learned=True)
            yield Segment("<|/tool_call|>", special=True, learned=True)
        elif message.content:
            yield Segment(message.content, special=False, learned=learned)
        if message.role == "system" and conversation.tools is not None:
            yield Segment("<|tool|>", special=True)
            yield Segment(conversation.tools, special=False)
            yield Segment("<|/tool|>", special=True)
        yield Segment("<|end|>", special=True, learned=learned)
