"""Shorter forms of a conversation that is too long: without its oldest turns, or with summaries in their place."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Final

from phicli.answering.types import Event, Notice
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.session import ChatSession
from phicli.chat.summarize import Summarizer, attachment_source, conversation_source, summary_tokens
from phicli.engine.closable import Closing
from phicli.errors import ContextExceededError

_ATTACHMENT_TOKENS: Final = 1024
"""The most tokens of the summary of an attachment; in a small context it is a quarter of that."""

_LEAST_TOKENS: Final = 16
"""Shorter summaries say nothing."""

_FIRST_WORDS: Final = 40


@dataclass(frozen=True, slots=True)
class Sent:
    """A conversation and the question that is sent with it."""

    before: Dialogue
    turn: Turn

    @property
    def answered(self) -> tuple[Turn, ...]:
        """The turns that are sent, apart from the question."""
        return tuple(turn for turn in self.before.turns[self.before.left_out :] if turn.replies)

    @property
    def whole(self) -> list[Attachment]:
        """The attachments that are sent, and are not summarized yet."""
        turns = [*(turn for turn in self.before.turns if turn.replies), self.turn]
        return [one for turn in turns for one in turn.attachments if one.summary is None]

    @property
    def least(self) -> Sent:
        """What is always sent: the system message, the attachments and the question."""
        return self.without(len(self.before.turns), None)

    def without(self, left_out: int, summary: str | None) -> Sent:
        """The same without the oldest ``left_out`` turns, for which ``summary`` stands."""
        return replace(self, before=replace(self.before, left_out=left_out, summary=summary))

    def with_attachments(self, change: Callable[[Attachment], Attachment]) -> Sent:
        """The same with other attachments, also those of turns that are left out."""
        turns = tuple(_changed(turn, change) for turn in self.before.turns)
        return Sent(replace(self.before, turns=turns), _changed(self.turn, change))


@dataclass(frozen=True, slots=True)
class Shortening:
    """Makes one conversation fit into ``limit`` tokens with ``room`` tokens for the answer."""

    session: ChatSession
    limit: int
    room: int
    closing: Closing

    @property
    def goal(self) -> int:
        """The most tokens of a prompt that leaves room for the answer."""
        return self.limit - self.room

    def count(self, sent: Sent) -> int:
        """The tokens of the prompt."""
        self.closing.check()
        return self.session.count(sent.before, sent.turn, self.closing)

    def exceeds(self, sent: Sent, most_tokens: int) -> bool:
        """Whether the prompt has more tokens; thousands of messages are not counted for that."""
        return self.least(sent) > most_tokens or self.count(sent) > most_tokens

    @staticmethod
    def least(sent: Sent) -> int:
        """A number of tokens that the prompt has at least: one for each message."""
        return len(sent.before.messages(sent.turn))

    def dropped(self, sent: Sent) -> Generator[Event, None, Sent]:
        """The conversation without its oldest turns, as far as necessary.

        Where possible a quarter of the context stays free: after each turn that is left out, all that is sent has to
        be evaluated again.
        """
        before = sent.before
        shorter = self._with_spare(sent, before.summary, self.goal)
        if self.exceeds(shorter, self.goal):
            shorter = shorter.without(shorter.before.left_out, None)
        if (tokens := self.count(shorter)) >= self.limit - 1:
            raise self._exceeded(shorter, tokens)
        gone = _numbered(before, shorter.before.left_out)
        if gone:
            verb = "is" if len(gone) == 1 else "are"
            yield Notice(f"{_named(gone)} {verb} no longer sent to the model: {self._reason(sent)}")
        if before.summary and not shorter.before.summary:
            yield Notice(
                f"the summary of the earlier conversation is no longer sent to the model: {self._reason(sent)}"
            )
        return shorter

    def summarized(self, sent: Sent, see: str) -> Generator[Event, None, Sent]:
        """The conversation with summaries in place of its longest attachments and oldest turns, as far as necessary."""
        sent = yield from self._with_short_attachments(sent)
        if not self.exceeds(sent, self.goal) or not (sent.answered or sent.before.summary):
            return self._checked(sent)
        shorter = self._without_old_turns(sent)
        budget = min(summary_tokens(self.limit), self.limit - 2 - self.count(shorter))
        if budget < _LEAST_TOKENS:  # a summary would say nothing
            if not self.exceeds(sent, self.limit - 2):
                return sent
            raise self._exceeded(shorter, self.count(shorter))
        gone = _numbered(sent.before, shorter.before.left_out)
        label = _named(gone) if gone else "the earlier conversation"
        source = conversation_source(sent.before, (turn for _, turn in gone), label)
        done = self._with_summary(shorter, (yield from self._summarizer(sent).summary(source, budget)))
        if not done.before.summary:
            raise self._no_summary(sent, label)
        verb = "is" if len(gone) <= 1 else "are"
        yield Notice(f"{label} {verb} sent as a summary from now on{see}")
        return self._checked(done)

    def _without_old_turns(self, sent: Sent) -> Sent:
        """Enough turns are left out for a summary in their place, and that it need not be made again soon."""
        return self._with_spare(sent, None, self.goal - summary_tokens(self.limit))

    def _with_spare(self, sent: Sent, summary: str | None, goal: int) -> Sent:
        """The conversation without its oldest turns: in ``goal`` tokens less a quarter of the context, if possible."""
        for spare in (self.limit // 4, 0):
            shorter = self._fewest(sent, summary, goal - spare)
            if not self.exceeds(shorter, goal - spare):
                break
        return shorter

    def _with_summary(self, sent: Sent, text: str) -> Sent:
        """``text`` stands for the turns that are left out; it is shortened where the model wrote too much."""
        done = sent.without(sent.before.left_out, text or None)
        while text and self.count(done) >= self.limit - 1:
            text = text[: len(text) // 2]
            done = sent.without(sent.before.left_out, f"{text} …" if text else None)
        return done

    def _with_short_attachments(self, sent: Sent) -> Generator[Event, None, Sent]:
        """Summaries in place of the longest attachments, until all turns that matter less could be left out."""
        summary = summary_tokens(self.limit) if sent.answered or sent.before.summary else 0
        goal = self.goal - summary
        while self.count(sent.least) > goal and (whole := sent.whole):
            longest = max(whole, key=lambda attachment: len(attachment.text))
            rest = self.count(sent.with_attachments(lambda one: replace(one, summary=one.summary or "")).least)
            budget = min((goal - rest) // len(whole), _ATTACHMENT_TOKENS, self.limit // 4)
            if budget < _LEAST_TOKENS:
                break
            source = attachment_source(longest, sent.turn.question)
            text = yield from self._summarizer(sent).summary(source, budget)
            if not text:
                raise self._no_summary(sent, longest.label)
            yield Notice(f"a summary of {longest.label} is sent to the model, because the text is too long")
            sent = sent.with_attachments(_exchange(longest, replace(longest, summary=text)))
        return sent

    def _checked(self, sent: Sent) -> Sent:
        """``sent``, which fits.

        Raises:
            ContextExceededError: it does not.
        """
        if (tokens := self.count(sent)) >= self.limit - 1:
            raise self._exceeded(sent, tokens)
        return sent

    def _fewest(self, sent: Sent, summary: str | None, most_tokens: int) -> Sent:
        """The conversation without the fewest of its oldest turns, in at most so many tokens; else without all."""
        fewest, most = sent.before.left_out, len(sent.before.turns)
        while fewest < most:
            middle = (fewest + most) // 2
            if self.exceeds(sent.without(middle, summary), most_tokens):
                fewest = middle + 1
            else:
                most = middle
        return sent.without(most, summary)

    def _summarizer(self, sent: Sent) -> Summarizer:
        session = self.session
        return Summarizer(session.model, self.limit, session.sampling, self.closing, system=bool(sent.before.system))

    def _reason(self, sent: Sent) -> str:
        return (
            f"the conversation has {self._size(sent)} tokens, but the context has only {self.limit},"
            f" {self.room} of them for the answer"
        )

    def _size(self, sent: Sent) -> str:
        least = self.least(sent)
        return f"at least {least}" if least >= self.limit else str(self.count(sent))

    def _exceeded(self, sent: Sent, tokens: int) -> ContextExceededError:
        """The error where nothing more can be left out."""
        without = " without the earlier turns" if sent.before.left_out else ""
        nothing = "" if without else "; there are no earlier turns to leave out"
        nothing = nothing if tokens >= self.limit - 1 else "; a summary of them does not fit"
        if sent.whole:
            hint = "use --on-overflow summarize, or shorter files"
        else:
            hint = "shorten the question, or send its text with --file, so that it can be summarized"
        return ContextExceededError(
            f"the prompt has {tokens} tokens{without}, but the context has only {self.limit}{nothing}",
            f"{hint}; or use a larger context (--context)",
            data={"prompt_tokens": tokens, "context_tokens": self.limit},
        )

    def _no_summary(self, sent: Sent, label: str) -> ContextExceededError:
        tokens = self.count(sent)
        return ContextExceededError(
            f"the conversation has {tokens} tokens, but the context has only {self.limit}, and the model wrote no"
            f" summary of {label}; nothing was left out",
            "use --on-overflow drop (in a conversation: /retry, or /undo)",
            data={"prompt_tokens": tokens, "context_tokens": self.limit},
        )


def _exchange(old: Attachment, new: Attachment) -> Callable[[Attachment], Attachment]:
    return lambda one: new if one == old else one


def _changed(turn: Turn, change: Callable[[Attachment], Attachment]) -> Turn:
    return replace(turn, attachments=tuple(map(change, turn.attachments))) if turn.attachments else turn


def _numbered(before: Dialogue, left_out: int) -> list[tuple[int, Turn]]:
    """The turns with answers up to ``left_out`` that were sent so far, with their numbers; 1 is the first."""
    turns = enumerate(before.turns[:left_out], start=1)
    return [(number, turn) for number, turn in turns if number > before.left_out and turn.replies]


def _named(turns: list[tuple[int, Turn]]) -> str:
    """The turns by their numbers and the first words of their questions: ``turns 1 to 3 ("Why is …" to "And …")``."""
    (first, asked), (last, asked_last) = turns[0], turns[-1]
    if first == last:
        return f"turn {first} ({_first_words(asked)})"
    return f"turns {first} to {last} ({_first_words(asked)} to {_first_words(asked_last)})"


def _first_words(turn: Turn) -> str:
    words = " ".join(turn.question.split()) or "piped text"
    return f'"{words}"' if len(words) <= _FIRST_WORDS else f'"{words[:_FIRST_WORDS].rsplit(" ", 1)[0]} …"'
