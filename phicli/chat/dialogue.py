"""What was said in a conversation, and the part of it that is sent to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from phicli.chat_format.types import Message

_SUMMARY: Final = "Summary of the earlier conversation:"


@dataclass(frozen=True, slots=True)
class Attachment:
    """Text that belongs to a question: a file by its ``name``, or piped text, which has an empty one.

    ``summary`` is sent in place of a ``text`` that does not fit into the context; None where the text is sent.
    """

    name: str
    text: str
    summary: str | None = None

    @property
    def block(self) -> str:
        """The attachment as the model reads it."""
        if self.summary is not None:
            return f"Summary of {self.label}, which is too long to be sent:\n<summary>\n{self.summary}\n</summary>"
        if not self.name:
            return self.text
        end = "" if self.text.endswith("\n") else "\n"
        return f"File {self.name}:\n<file>\n{self.text}{end}</file>"

    @property
    def title(self) -> str:
        """How a list shows it: the name of the file."""
        return self.name or "piped text"

    @property
    def label(self) -> str:
        """What the attachment is, for people and for the model."""
        return f"file {self.name}" if self.name else "the piped text"


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what came of it.

    Attributes:
        question: the words of the person; empty where piped text is all there is, and in front of an answer that a
            conversation begins with.
        attachments: what the person sent with the question.
        replies: the messages that followed; the last one is the answer. None so far for a question without an answer:
            such a turn is saved and shown, but it is not sent to the model again.
        steps: what is sent behind the question: calls of tools and their results so far, or more messages of the user.
            They become replies with the answer.
        facts: what made the answer, as :func:`phicli.chat.facts.facts_of` has it; empty for an imported answer. Of a
            question without an answer, what was asked (:func:`phicli.chat.facts.facts_of_question`).
    """

    question: str
    attachments: tuple[Attachment, ...] = ()
    replies: tuple[Message, ...] = ()
    facts: Mapping[str, Any] | None = None
    steps: tuple[Message, ...] = ()

    @property
    def text(self) -> str:
        """The question as the model reads it: attachments first, a blank line after each."""
        return _joined((*(one.block for one in self.attachments), self.question))

    @property
    def answer(self) -> Message | None:
        """The answer; None where there is none yet."""
        return self.replies[-1] if self.replies else None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation as a value.

    Attributes:
        system: the system message, None for none.
        turns: all turns, the oldest first.
        left_out: how many of the oldest turns are no longer sent to the model. The attachments of those that have
            answers still are.
        summary: what stands for the turns that were left out; None where nothing does.
    """

    system: str | None = None
    turns: tuple[Turn, ...] = ()
    left_out: int = 0
    summary: str | None = None

    def messages(self, question: Turn | None = None) -> tuple[Message, ...]:
        """The messages that are sent: the system message, the turns that have answers, and ``question``.

        The summary and the attachments of turns that were left out come in front of the first question that is sent.
        """
        turns = [turn for turn in self.turns[self.left_out :] if turn.replies]
        said = [(*_asked(turn), *turn.replies) for turn in turns]
        asked = [(Message("user", question.text), *question.steps)] if question is not None else []
        sent = list(chain.from_iterable([*said, *asked]))
        if sent and (before := self._before()):
            sent[0] = replace(sent[0], content=_joined((before, sent[0].content)))
        system = (Message("system", self.system),) if self.system else ()
        return (*system, *sent)

    def with_turn(self, turn: Turn) -> Dialogue:
        """The conversation with one more turn."""
        return replace(self, turns=(*self.turns, turn))

    def without_last(self, count: int = 1) -> Dialogue:
        """The conversation before its last ``count`` turns; a summary of turns that were removed is removed too."""
        turns = self.turns[: max(len(self.turns) - count, 0)]
        if self.left_out <= len(turns):
            return replace(self, turns=turns)
        return replace(self, turns=turns, left_out=0, summary=None)

    def without_ids(self) -> Dialogue:
        """The conversation for another model, whose vocabulary may be another one."""
        turns = (replace(turn, replies=tuple(_plain(turn.replies))) for turn in self.turns)
        return replace(self, turns=tuple(turns))

    def _before(self) -> str:
        left_out = [turn for turn in self.turns[: self.left_out] if turn.replies]
        summary = (f"{_SUMMARY}\n{self.summary}",) if self.summary else ()
        return _joined((*summary, *(one.block for turn in left_out for one in turn.attachments)))


def _asked(turn: Turn) -> Sequence[Message]:
    """The question of ``turn``; nothing for a greeting, which nobody asked for."""
    return (Message("user", turn.text),) if turn.text else ()


def _plain(replies: Sequence[Message]) -> Sequence[Message]:
    return [replace(message, token_ids=None) for message in replies]


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(
        part.rstrip("\r\n") if number < len(parts) - 1 else part for number, part in enumerate(parts) if part
    )
