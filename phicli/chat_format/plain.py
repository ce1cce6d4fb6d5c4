"""Plain text for a file whose own template cannot be used: speakers by name, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.conversation import refuse_tools
from phicli.chat_format.types import AnswerParser, Message, Segment, Text


@dataclass(frozen=True, slots=True)
class Plain:
    """``User: …`` and ``Assistant: …`` lines; nothing in it depends on the vocabulary.

    Ids of earlier answers are not reused: they may contain the beginning of a stop string.
    """

    reasoning: bool = False
    name: str = field(default="plain", init=False)
    stop_tokens: tuple[str, ...] = field(default=(), init=False)
    stop_strings: tuple[str, ...] = field(default=("\nUser:", "\nAssistant:"), init=False)
    before_answer: str = field(default=" ", init=False)
    visible_tokens: tuple[str, ...] = field(default=("<think>", "</think>"), init=False)

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Text that ends with ``Assistant:``.

        Raises:
            UsageError: tools were asked for.
        """
        refuse_tools(self.name, messages, tools)
        speakers = {"system": "", "user": "User: ", "assistant": "Assistant: "}
        lines = [f"{speakers[message.role]}{message.content}\n" for message in messages]
        return (Text("".join(lines) + "Assistant:"),)

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that drops the space after ``Assistant:``."""
        del tools
        return AnswerReader(reasoning=self.reasoning, inside_reasoning=inside_reasoning, drop_leading_space=True)
