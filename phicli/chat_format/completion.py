"""The base models phi-1, phi-1.5 and phi-2: no special tokens, no roles, text that is continued.

``completion`` gives the model the prompt as it is, which is how code is asked for. ``completion-qa`` asks as the card
of microsoft/phi-2 does: ``Instruct: {prompt}\\nOutput:``. Base models run on after the answer, so ordinary text
ends it: the next ``Instruct:``, a speaker of the card's chat example, or two empty lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.conversation import refuse_tools
from phicli.chat_format.types import AnswerParser, Message, Segment, Text
from phicli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Completion:
    """Code and text are continued: what was said so far, as it was said, an empty line between two rounds."""

    name: str = field(default="completion", init=False)
    stop_tokens: tuple[str, ...] = field(default=("<|endoftext|>",), init=False)
    stop_strings: tuple[str, ...] = field(default=("\n\n\n",), init=False)
    before_answer: str = field(default="", init=False)
    visible_tokens: tuple[str, ...] = field(default=(), init=False)

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """The prompt as it is; an answer continues it, and a later prompt starts after an empty line.

        Raises:
            UsageError: tools or a system message were asked for.
        """
        refuse_tools(self.name, messages, tools)
        if any(message.role == "system" and message.content for message in messages):
            raise UsageError(
                "this is a base model, which does not support a system message",
                "put it into the prompt and leave out --system",
            )
        text = ""
        for message in messages:
            between = "\n\n" if text and message.role == "user" else ""
            text += between + message.content
        return (Text(text),) if text else ()

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that passes everything through: the first white space is part of a continuation."""
        del tools, inside_reasoning
        return AnswerReader()


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """``Instruct: …\\nOutput: …`` per round; a system message stands above the first.

    Ids of earlier answers are not reused: they may contain the beginning of a stop string.
    """

    name: str = field(default="completion-qa", init=False)
    stop_tokens: tuple[str, ...] = field(default=("<|endoftext|>",), init=False)
    stop_strings: tuple[str, ...] = field(
        default=("\nInstruct:", "\nOutput:", "\nAlice:", "\nBob:", "\n\n\n"), init=False
    )
    before_answer: str = field(default=" ", init=False)
    visible_tokens: tuple[str, ...] = field(default=(), init=False)

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Text that ends with ``Output:``; the answer brings its own space.

        Raises:
            UsageError: tools were asked for.
        """
        refuse_tools(self.name, messages, tools)
        lines = ""
        for message in messages:
            if message.role == "user":
                lines += f"Instruct: {message.content}\n"
            elif message.role == "assistant":
                lines += f"Output: {message.content}\n"
            elif message.content:
                lines += f"{message.content}\n"
        return (Text(f"{lines}Output:"),)

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that drops the space after ``Output:``."""
        del tools, inside_reasoning
        return AnswerReader(drop_leading_space=True)
