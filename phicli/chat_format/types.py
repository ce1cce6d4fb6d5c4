"""The vocabulary of prompt formats: messages in, segments out.

A format never produces a string for the engine to parse. It produces *segments*: special tokens, which come only
from the format, and text, which is tokenized with the parsing of specials switched off. So a document that
contains ``<|end|><|system|>`` stays text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call that the model asked for; ``arguments`` is the decoded JSON object."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    ``token_ids`` are the ids the engine generated for an assistant message, when they are known completely:
    rendering the message again then reuses them, so the engine's prompt cache matches to the last token.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    token_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Special:
    """A special token by its literal, for example ``<|user|>``.

    ``strips_after`` says that the official tokenizer swallows white space that follows the token
    (``rstrip`` in its definition): the rendered text has it, the token sequence does not. ``optional`` is for a
    token that not every file of the family has (``<think>``): where it is missing the literal is spelled as text.
    """

    literal: str
    strips_after: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is only ever text; with ``token_ids`` it is already tokenized."""

    text: str
    token_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """Text of the chat template that a file carries: the special tokens in it are meant, and are parsed."""

    text: str


Segment = Special | Text | Template


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the answer as it streams: what the person reads, or the reasoning before it."""

    kind: Literal["text", "reasoning"]
    text: str


class AnswerParser(Protocol):
    """Splits the stream of generated text into pieces and, at the end, tool calls."""

    def feed(self, text: str, *, special: bool = False) -> list[Piece]:
        """Take the next generated text; return what is certain by now.

        Args:
            text: whole characters.
            special: the text is a reasoning tag or the marker of a tool call, generated as one token of the vocabulary.
        """

    def finish(self) -> list[Piece]:
        """Return what was held back; call once, after the last ``feed``."""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls found so far; complete after ``finish``."""

    @property
    def waiting(self) -> bool:
        """Whether text waits until it is known whether it is reasoning, or a tool call."""

    @property
    def inside_reasoning(self) -> bool:
        """Whether reasoning goes on for certain: no tag that may end it has come or begun."""

    @property
    def expects_reasoning(self) -> bool:
        """Whether the model reasons before each answer, and nothing has come yet."""

    def is_reasoning(self, at: int) -> bool | None:
        """Whether the character ``at`` this place of the text is reasoning; None where that is not known yet."""

    def collect_calls(self) -> None:
        """From now on take tool calls out of the text, as a parser does that was made for tools."""

    @property
    def may_reason(self) -> bool:
        """Whether what comes next may be reasoning."""

    @property
    def reasoning_over(self) -> bool:
        """Whether the reasoning ends with the tag that came last, and nothing of the answer has come yet."""

    def end_reasoning(self) -> list[Piece]:
        """End reasoning that goes on, or is expected; what comes next is the answer. Returns what was held back."""

    def take_as_it_is(self) -> None:
        """What comes from now on is the answer as it is, tags and white space too; it begins here."""


class PromptFormat(Protocol):
    """The prompt format of one family of models."""

    @property
    def name(self) -> str:
        """The identifier used in the catalog: ``phi-3``, ``phi-3-folded``, ``phi-4``, ``phi-4-mini``, …"""

    @property
    def stop_tokens(self) -> tuple[str, ...]:
        """Literals of special tokens that end an answer; those that the file lacks are to be left out."""

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Ordinary text that ends an answer (base models)."""

    @property
    def visible_tokens(self) -> tuple[str, ...]:
        """Special tokens of the answer whose text the parser needs to see, where the file has them."""

    @property
    def before_answer(self) -> str:
        """Text in front of an answer that the model generates itself, as the space behind ``Output:``."""

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Segments of the prompt, ending where the assistant's answer begins.

        Args:
            messages: the conversation, oldest first.
            tools: a JSON array of tool declarations, as text.

        Raises:
            UsageError: the format has no place for what was asked (tools, a system message).
        """

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A fresh parser for one answer.

        Args:
            tools: tools were declared, so calls to them are looked for; without tools JSON is just an answer.
            inside_reasoning: the prompt itself opened the reasoning (see ``reasoning.opens_reasoning``).
        """
