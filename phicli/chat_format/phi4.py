"""Phi-4 (14B) and its reasoning variants: ``<|im_start|>role<|im_sep|>content<|im_end|>``, no newlines.

The text equals the official template of microsoft/phi-4 since January 2025 (the one before put an assistant header
behind every user message). No begin-of-text token, no tool calls. The official tokenizer also declares
``lstrip`` and ``rstrip`` for its special tokens, llama.cpp does not: white space at the edges of a message is kept
here as it was written.

Phi-4-reasoning turned two spare tokens of the vocabulary into ``<think>`` and ``</think>`` (its technical report,
section on training), and its system prompt names them: in the system message of a reasoning variant they become those
tokens where the file has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.conversation import answer_text, refuse_tools, spell_out
from phicli.chat_format.think_tags import CLOSE, DIRECT, OPEN
from phicli.chat_format.types import AnswerParser, Message, Segment, Special, Text

_START, _SEPARATOR, _END = Special("<|im_start|>"), Special("<|im_sep|>"), Special("<|im_end|>")
_TAGS = (OPEN, CLOSE)


@dataclass(frozen=True, slots=True)
class Phi4:
    """The format of Phi-4; ``reasoning`` for Phi-4-reasoning and Phi-4-reasoning-plus."""

    reasoning: bool = False
    always_reasons: bool = False
    name: str = field(default="phi-4", init=False)
    stop_tokens: tuple[str, ...] = field(default=("<|im_end|>", "<|endoftext|>", "<|im_start|>"), init=False)
    stop_strings: tuple[str, ...] = field(default=(), init=False)
    before_answer: str = field(default="", init=False)

    @property
    def visible_tokens(self) -> tuple[str, ...]:
        """The reasoning tags of a reasoning model."""
        return (*_TAGS, DIRECT) if self.reasoning else ()

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Segments of the prompt up to ``<|im_start|>assistant<|im_sep|>``.

        Raises:
            UsageError: tools were asked for.
        """
        refuse_tools(self.name, messages, tools)
        segments: list[Segment] = []
        for message in messages:
            segments += [_START, Text(message.role), _SEPARATOR, *self._body(message), _END]
        return (*segments, _START, Text("assistant"), _SEPARATOR)

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that splits off reasoning where the variant reasons; Phi-4 calls no tools."""
        del tools
        return AnswerReader(
            reasoning=self.reasoning, always_reasons=self.always_reasons, inside_reasoning=inside_reasoning
        )

    def _body(self, message: Message) -> Iterator[Segment]:
        if message.role == "assistant":
            yield answer_text(message, reasoning=self.reasoning)
        elif message.role == "system" and self.reasoning:
            yield from spell_out(message.content, _TAGS)
        else:
            yield Text(message.content)
