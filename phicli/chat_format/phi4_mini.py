"""Phi-4-mini and Phi-4-mini-reasoning: role tags without newlines, tools inside the system message.

The text equals the official template of microsoft/Phi-4-mini-instruct (tokenizer_config.json): per message
``<|role|>{content}<|end|>``, then ``<|assistant|>``; tool declarations stand behind the system text as
``<|tool|>{json}<|/tool|>``. Two things that template leaves to its callers: an assistant message that called tools is
``{content}<|tool_call|>[{"name": …, "arguments": …}]<|/tool_call|>``, and a tool's result has the role
``tool_response`` (a role ``tool`` would render as the marker of a declaration). JSON has a space behind each comma and
colon in all of them, as Python writes it: a result without spaces, as other programs write it, gets them.

llama.cpp takes this template for Phi-3's and inserts newlines. No begin-of-text token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.conversation import answer_text
from phicli.chat_format.types import AnswerParser, Message, Segment, Special, Text, ToolCall

_END = Special("<|end|>")
_ROLE_TAGS = {
    "system": Special("<|system|>"),
    "user": Special("<|user|>"),
    "assistant": Special("<|assistant|>"),
    "tool": Special("<|tool_response|>"),
}


@dataclass(frozen=True, slots=True)
class Phi4Mini:
    """The format of Phi-4-mini; ``reasoning`` for Phi-4-mini-reasoning."""

    reasoning: bool = False
    always_reasons: bool = False
    name: str = field(default="phi-4-mini", init=False)
    stop_tokens: tuple[str, ...] = field(
        default=(
            "<|end|>",
            "<|endoftext|>",
            "<|user|>",
            "<|system|>",
            "<|assistant|>",
            "<|tool|>",
            "<|tool_response|>",
        ),
        init=False,
    )
    stop_strings: tuple[str, ...] = field(default=(), init=False)
    before_answer: str = field(default="", init=False)

    @property
    def visible_tokens(self) -> tuple[str, ...]:
        """The markers around tool calls, and the reasoning tags of a reasoning model."""
        markers = ("<|tool_call|>", "<|/tool_call|>")
        return (*markers, "<think>", "</think>") if self.reasoning else markers

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Segments of the prompt up to ``<|assistant|>``.

        The declarations go into the first system message; without one an empty system message carries them.
        """
        segments: list[Segment] = []
        if tools is not None and all(message.role != "system" for message in messages):
            messages = [Message("system", ""), *messages]
        for message in messages:
            segments += [_ROLE_TAGS[message.role], *self._body(message)]
            if message.role == "system" and tools is not None:
                segments += [Special("<|tool|>"), Text(tools), Special("<|/tool|>")]
                tools = None
            segments.append(_END)
        return (*segments, _ROLE_TAGS["assistant"])

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser for text, reasoning where the variant reasons, and tool calls where tools were declared."""
        return AnswerReader(
            reasoning=self.reasoning, always_reasons=self.always_reasons, tools=tools, inside_reasoning=inside_reasoning
        )

    def _body(self, message: Message) -> Iterator[Segment]:
        if message.role != "assistant":
            yield Text(_spaced(message.content) if message.role == "tool" else message.content)
            return
        answer = answer_text(message, reasoning=self.reasoning)
        yield answer
        if message.tool_calls and answer.token_ids is None:
            yield from (Special("<|tool_call|>"), Text(_as_json(message.tool_calls)), Special("<|/tool_call|>"))


def _as_json(calls: Sequence[ToolCall]) -> str:
    return json.dumps([{"name": call.name, "arguments": dict(call.arguments)} for call in calls], ensure_ascii=False)


def _spaced(content: str) -> str:
    """JSON without spaces with the usual ones; any other text, and JSON that this would change, as it is."""
    if content[:1] not in ("{", "["):
        return content
    try:
        value = json.loads(content)
        compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return json.dumps(value, ensure_ascii=False) if compact == content else content
    except (ValueError, RecursionError):
        return content
