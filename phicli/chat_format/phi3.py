"""Phi-3 and Phi-3.5: role tags, newlines, ``<|end|>``.

The text equals the official template of Phi-3.5-mini (tokenizer_config.json): per message
``<|role|>\\n{content}<|end|>\\n``, then ``<|assistant|>\\n``; an empty system message is left out. The official
tokenizer declares ``rstrip`` for ``<|system|>``, ``<|user|>``, ``<|assistant|>`` and ``<|end|>`` (since the change
"Adjusts rstrip of special tokens" of May 2024), so the newlines never become tokens. It adds no begin-of-text token.

Phi-3-medium and the first Phi-3-mini (April 2024) were made without a system role: their templates drop system
messages without a word. ``phi-3-folded`` puts the system text in front of the first user message instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.conversation import answer_text, fold_system, refuse_tools
from phicli.chat_format.types import AnswerParser, Message, Segment, Special, Text

_END = Special("<|end|>", strips_after=True)
_NEWLINE = Text("\n")


@dataclass(frozen=True, slots=True)
class Phi3:
    """The format of Phi-3 and Phi-3.5; ``folded`` for the variants without a system role."""

    folded: bool = False
    reasoning: bool = False
    always_reasons: bool = False
    stop_tokens: tuple[str, ...] = field(
        default=("<|end|>", "<|endoftext|>", "<|user|>", "<|system|>", "<|assistant|>"), init=False
    )
    stop_strings: tuple[str, ...] = field(default=(), init=False)
    before_answer: str = field(default="", init=False)

    @property
    def name(self) -> str:
        """``phi-3`` or ``phi-3-folded``."""
        return "phi-3-folded" if self.folded else "phi-3"

    @property
    def visible_tokens(self) -> tuple[str, ...]:
        """The reasoning tags of a reasoning model."""
        return ("<think>", "</think>") if self.reasoning else ()

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Segments of the prompt up to ``<|assistant|>`` and its newline.

        Raises:
            UsageError: tools were asked for.
        """
        refuse_tools(self.name, messages, tools)
        segments: list[Segment] = []
        for message in fold_system(messages) if self.folded else messages:
            if message.role == "system" and not message.content:
                continue
            body = (
                answer_text(message, reasoning=self.reasoning) if message.role == "assistant" else Text(message.content)
            )
            segments += [_tag(message.role), _NEWLINE, body, _END, _NEWLINE]
        return (*segments, _tag("assistant"), _NEWLINE)

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that splits off reasoning where the variant reasons; the family calls no tools."""
        del tools
        return AnswerReader(
            reasoning=self.reasoning, always_reasons=self.always_reasons, inside_reasoning=inside_reasoning
        )


def _tag(role: str) -> Special:
    return Special(f"<|{role}|>", strips_after=True)
