"""Summaries of long texts by the model of the conversation, in pieces where a text is longer than the context."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import Final

from phicli.answering.types import Answer, Ending, Event, Model, Notice, Reasoned
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat_format.types import Message, Piece
from phicli.engine.closable import Closing
from phicli.engine.types import Sampling
from phicli.errors import ContextExceededError
from phicli.units import counted

SUMMARY_TOKENS: Final = 512
"""The most tokens of a summary of the conversation; in a small context it is an eighth of that."""

_LEAST_SHARE: Final = 64
"""The tokens that the summary of one piece may have at least; summaries of many pieces are summarized again."""

_WHO: Final = {"tool": "Tool result", "user": "User"}
_SYSTEM: Final = "You are a helpful assistant."
_REPEAT_PENALTY: Final = 1.1
"""At temperature 0 small models easily repeat themselves."""

_WORDS_PER_TOKEN: Final = 0.6
_FOCUS_CHARACTERS: Final = 500
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)|[\u3002\uff01\uff1f\n]")


def summary_tokens(limit_tokens: int) -> int:
    """The most tokens of a summary in a context of ``limit_tokens``."""
    return min(SUMMARY_TOKENS, limit_tokens // 8)


@dataclass(frozen=True, slots=True)
class Source:
    """A text to be summarized: ``label`` names it for the person, ``task`` says to the model what to look for."""

    label: str
    text: str
    task: str

    def prompt(self, piece: str, words: int) -> str:
        """What the model is asked about ``piece`` of the text."""
        return f"<text>\n{piece}\n</text>\n\n{self.task} Write at most {words} words, and only the summary."


def conversation_source(dialogue: Dialogue, turns: Iterable[Turn], label: str) -> Source:
    """The source that is made of ``turns``, and of the summary of those before them."""
    before = [f"Summary of the earlier conversation: {dialogue.summary}"] if dialogue.summary else []
    said = [line for turn in turns if turn.replies for line in _said(turn)]
    return Source(
        label,
        "\n\n".join([*before, *said]),
        "Summarize the conversation between the user and the assistant above. Keep names, numbers, decisions and"
        " questions that are open.",
    )


def attachment_source(attachment: Attachment, question: str) -> Source:
    """The source that is ``attachment``, summarized for ``question``."""
    focus = " ".join(question.split())[:_FOCUS_CHARACTERS]
    needed = f" Keep everything that helps to answer this: {focus}" if focus else " Keep names, numbers and results."
    return Source(attachment.label, attachment.text, f"Summarize the text above.{needed}\n")


def _said(turn: Turn) -> Iterable[str]:
    files = "".join(f" [{attachment.label}]" for attachment in turn.attachments)
    if turn.text:
        yield f"User: {turn.question}{files}"
    for message in turn.replies:
        who = _WHO.get(message.role, "Assistant")
        calls = "".join(f" [calls {call.name}({json.dumps(call.arguments)})]" for call in message.tool_calls)
        yield f"{who}: {message.content}{calls}"


@dataclass(frozen=True, slots=True)
class Summarizer:
    """Asks a model for summaries.

    Attributes:
        model: who writes them.
        limit_tokens: the most tokens of a prompt with its answer.
        sampling: of the conversation; summaries have temperature 0, so the same text gives the same summary.
        closing: ends the work.
        system: whether to send a system message: where the conversation has one of its own, that of the prompt format
            may not suit the model.
    """

    model: Model
    limit_tokens: int
    sampling: Sampling
    closing: Closing
    system: bool = False

    def summary(self, source: Source, budget: int) -> Generator[Event, None, str]:
        """A summary of ``source`` in about ``budget`` tokens; empty where the model wrote nothing.

        Notices say before what will be read and written.

        Raises:
            ContextExceededError: the context is too small for a summary.
            EngineError: the model cannot be loaded, or failed.
        """
        pieces, tokens = self._pieces(source, budget)
        share = max(budget // len(pieces), min(_LEAST_SHARE, budget))
        parts = f" in {counted(len(pieces), 'piece')}" if len(pieces) > 1 else ""
        yield Notice(
            f"summarizing {source.label}: the model reads {tokens} tokens{parts}"
            f" and writes at most {share * len(pieces)} tokens"
        )
        texts = []
        for number, piece in enumerate(pieces, start=1):
            text = yield from self._written(source.prompt(piece, _words(share)), share)
            if text:
                texts.append(text)
            elif len(pieces) > 1:
                yield Notice(f"the model wrote no summary of piece {number} of {len(pieces)}, which is left out")
        joined = "\n".join(texts)
        if len(texts) > 1 and share * len(pieces) > budget:
            again = replace(source, label=f"the {len(texts)} summaries", text=joined)
            return (yield from self.summary(again, budget))
        return joined

    def _pieces(self, source: Source, budget: int) -> tuple[list[str], int]:
        """The text in pieces that can be summarized, and the tokens of all prompts together."""
        around = self._count(source.prompt("", _words(budget)))
        most = self.limit_tokens - budget - self._reasoning_tokens() - 1
        if most - around < 2 * budget:
            raise ContextExceededError(
                f"the context of {self.limit_tokens} tokens is too small for summaries",
                "use --on-overflow drop, or a larger context (--context)",
            )
        pieces, total, start, size = list[str](), 0, 0, len(source.text)
        while start < len(source.text) or not pieces:
            piece = _cut(source.text, start, size)
            while (tokens := self._count(source.prompt(piece, _words(budget)))) > most and len(piece) > 1:
                fitting = min(_fitting(piece, tokens - around, most - around), len(piece) - 1)
                size = _even(len(source.text) - start, fitting)
                piece = _cut(source.text, start, size)
            pieces.append(piece)
            total += tokens
            start += len(piece)
            size = _even(len(source.text) - start, _fitting(piece, tokens - around, most - around))
        return pieces, total

    def _count(self, prompt: str) -> int:
        self.closing.check()
        return self.model.count(self._messages(prompt), closing=self.closing)

    def _messages(self, prompt: str) -> tuple[Message, ...]:
        system = (Message("system", _SYSTEM),) if self.system else ()
        return (*system, Message("user", prompt))

    def _reasoning_tokens(self) -> int:
        """Tokens for a model that reasons before it writes."""
        return self.limit_tokens // 8

    def _written(self, prompt: str, most_tokens: int) -> Generator[Event, None, str]:
        """The model's text, which ends with a sentence where it was cut off."""
        sampling = replace(
            self.sampling,
            temperature=0.0,
            seed=0,
            repeat_penalty=max(self.sampling.repeat_penalty, _REPEAT_PENALTY),
            max_tokens=most_tokens + self._reasoning_tokens(),
            likeliest=None,
        )
        answering = self.model.answer(self._messages(prompt), sampling=sampling, ending=Ending(brake=True))
        pieces = 0
        with contextlib.closing(answering), self.closing.woken_by(answering.close):
            for event in answering:
                if isinstance(event, Piece):
                    pieces += event.kind == "text"
                    if pieces >= most_tokens:
                        break
                elif not isinstance(event, (Answer, Reasoned)):
                    yield event
        self.closing.check()
        answer = answering.so_far()
        text = answer.text.strip()
        complete = answer.finish_reason == "stop" and answer.stopped_by is None
        return text if complete else whole_sentences(text)


def whole_sentences(text: str) -> str:
    """``text`` up to the end of its last whole sentence; the text with an ellipsis where less than half would stay."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if ends and ends[-1] >= len(text) / 2:
        return text[: ends[-1]].rstrip()
    return f"{text} …" if text else ""


def _fitting(piece: str, tokens: int, most_tokens: int) -> int:
    """How many characters like those of ``piece``, which has ``tokens``, have nearly so many tokens."""
    return max(int(len(piece) * 0.95 * most_tokens / max(tokens, 1)), 1)


def _even(length: int, most: int) -> int:
    """The length of pieces of at most ``most`` that divide ``length`` evenly: the last one is not a short rest."""
    return math.ceil(length / math.ceil(length / most)) if length else 1


def _words(tokens: int) -> int:
    return max(int(tokens * _WORDS_PER_TOKEN), 5)


def _cut(text: str, start: int, size: int) -> str:
    """At most ``size`` characters of ``text`` from ``start``, ended at a line or a word where there is one."""
    end = start + size
    if end >= len(text):
        return text[start:]
    for separator in ("\n\n", "\n", ". ", " "):
        place = text.rfind(separator, start + size // 2, end)
        if place >= 0:
            return text[start : place + len(separator)]
    return text[start:end]
