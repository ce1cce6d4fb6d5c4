"""Prompts whose last text the model continues: an answer that is begun, or a text without any conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.think_tags import OPEN
from phicli.chat_format.types import AnswerParser, Message, PromptFormat, Segment, Text
from phicli.errors import UsageError


def begun_answer(messages: Sequence[Message]) -> str:
    """The text of the answer that ``messages`` end with, which is to be continued; empty where none is begun."""
    last = messages[-1] if messages else None
    return last.content if last is not None and last.role == "assistant" and not last.tool_calls else ""


def begun_text(prompt_format: PromptFormat, begun: str) -> Text:
    """An answer that is begun, as it follows the prompt.

    Raises:
        UsageError: it begins with reasoning, which is not part of an answer.
    """
    if begun.lstrip().startswith(OPEN) and OPEN in prompt_format.visible_tokens:
        raise UsageError(
            f"the answer that is to be continued begins with {OPEN}, but only its text can be given",
            f"leave out {OPEN} and the reasoning behind it",
        )
    return Text(prompt_format.before_answer + begun)


@dataclass(frozen=True, slots=True)
class Continuation:
    """Text without roles and turns, which the model continues; what ends an answer of ``inner`` ends it."""

    inner: PromptFormat
    name: str = field(default="continuation", init=False)
    stop_strings: tuple[str, ...] = field(default=(), init=False)
    visible_tokens: tuple[str, ...] = field(default=(), init=False)
    before_answer: str = field(default="", init=False)

    @property
    def stop_tokens(self) -> tuple[str, ...]:
        """Those of the format inside."""
        return self.inner.stop_tokens

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """The text of ``messages``, as it is."""
        del tools
        return tuple(Text(message.content) for message in messages)

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that passes everything through."""
        del tools, inside_reasoning
        return AnswerReader()
