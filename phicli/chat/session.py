"""A conversation with one model: it remembers what was said, also when an answer was interrupted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from phicli.answering.calling import WRONG_CALL, correction
from phicli.answering.types import NO_ENDING, Answer, Answering, Ending, Event, Model, Notice
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.facts import is_made_by
from phicli.chat.settings import Chosen
from phicli.chat_format.types import Message
from phicli.engine.closable import Closable, Closing
from phicli.engine.types import Sampling
from phicli.errors import NetworkError, UsageError
from phicli.plan.prompt_size import estimate_tokens
from phicli.units import counted

FAR_LONGER: Final = 4
"""So many times the context: the tokens of such a text are estimated, because counting them takes half a minute."""
RETRY_TEMPERATURE: Final = 0.7
"""Temperature 0 would give the same answer again."""


class Fitting(Protocol):
    """What makes a conversation fit into the context before a question is asked."""

    def fit(
        self, session: ChatSession, before: Dialogue, turn: Turn, closing: Closing
    ) -> Generator[Event, None, tuple[Dialogue, Turn]]:
        """What is sent: the conversation ``before`` and the question ``turn``, or what fits of them.

        The session remembers both in place of those that were given. The events are for the person.

        Raises:
            ContextExceededError: it does not fit, and nothing was left out.
        """


class ChatSession:
    """One conversation.

    Args:
        model: who answers.
        sampling: how tokens are chosen. Without a seed each answer gets a fresh one.
        dialogue: what was said before.
        tools: declarations of tools as a JSON array, None for none.
        ending: what ends an answer beside the model.
        fitting: makes long conversations fit; None: a conversation that is too long is an error.
        on_change: called with the conversation after each change: the question is in it before the model is asked.
        facts: what made an answer, to be saved with it.
        check: what is wrong with the tool calls of an answer; it is fed back with that error, once.

    ``rejected`` is what was wrong with the first attempt at the last answer; None where nothing was.
    ``chosen`` are the settings that a person changed: they count over ``sampling`` and ``ending``, also with another
    model.
    ``wording`` makes of the next question what is asked, and is used once; None for a question that stays as it is.
    ``formed`` makes of the model one whose answers have a form; summaries of the conversation have none.
    ``counts_exactly``: the model counts tokens; otherwise it estimates them.
    ``unanswered``: what is saved as the facts of a question that has no answer yet: what is asked. None for nothing.
    """

    def __init__(
        self,
        model: Model,
        *,
        sampling: Sampling,
        dialogue: Dialogue | None = None,
        tools: str | None = None,
        ending: Ending = NO_ENDING,
        fitting: Fitting | None = None,
        on_change: Callable[[Dialogue], None] = lambda _: None,
        facts: Callable[[Answer, Sampling], Mapping[str, Any] | None] = lambda _answer, _sampling: None,
        check: Callable[[Answer], str | None] = lambda _: None,
    ) -> None:
        self.model, self.counts_exactly = model, True
        self.unanswered: Mapping[str, Any] | None = None
        self.chosen = Chosen()
        self._usual_sampling, self._usual_ending = sampling, ending
        self.fitting = fitting
        self.last: Answer | None = None
        self.on_change = on_change
        self._dialogue = Dialogue() if dialogue is None else dialogue
        self.tools = tools
        self.facts = facts
        self.check = check
        self.rejected: str | None = None
        self._sized: Turn | None = None
        self.wording: Callable[[Turn], Turn] | None = None
        self.formed: Callable[[Model], Model] = lambda model: model

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen."""
        return self.chosen.sampling(self._usual_sampling)

    @property
    def ending(self) -> Ending:
        """What ends an answer beside the model."""
        return self.chosen.ending(self._usual_ending)

    @property
    def dialogue(self) -> Dialogue:
        """What was said so far."""
        return self._dialogue

    @property
    def last_remembered(self) -> Answer | None:
        """The last answer, if the conversation ends with it; None after a change, and before the first answer."""
        turns = self._dialogue.turns
        return self.last if self.last is not None and turns and self.last.message in turns[-1].replies else None

    def sizes(self, turn: Turn, closing: Closing) -> Iterator[Notice]:
        """How many tokens each file of a question has; only about, where it is far longer than the context or unknown.

        A question that is asked again at once, for another sample, has none.
        """
        if turn == self._sized:
            return
        self._sized = turn
        for one in turn.attachments:
            if one.name:
                about = estimate_tokens(one.block)
                if not self.counts_exactly or about > FAR_LONGER * (self.model.context_tokens or about):
                    yield Notice(f"{one.name}: about {counted(about, 'token')}")
                else:
                    tokens = self.model.count((Message("user", one.block),), closing=closing)
                    yield Notice(f"{one.name}: {counted(tokens, 'token')}")

    def become(self, dialogue: Dialogue) -> None:
        """Go on from ``dialogue``; where turns are removed, there is no last answer until the next one."""
        if len(dialogue.turns) < len(self._dialogue.turns) or dialogue.system != self._dialogue.system:
            self.last = None
        if dialogue != self._dialogue:
            self._dialogue = dialogue
            self.on_change(dialogue)

    def use(self, model: Model, *, sampling: Sampling, ending: Ending) -> None:
        """From now on another model answers; what was said stays. There is no last answer of this one."""
        self.last = None
        self.model, self._usual_sampling, self._usual_ending = model, sampling, ending

    def load(self, dialogue: Dialogue) -> None:
        """Go on from ``dialogue``, which is saved: nothing of it is new."""
        self._dialogue, self.last = dialogue, None

    def clear(self) -> None:
        """Forget the turns; the system message stays."""
        self.become(Dialogue(self._dialogue.system))

    def undo(self, count: int = 1) -> tuple[Turn, ...]:
        """Remove the last ``count`` turns, and return those that were removed.

        Raises:
            UsageError: there is no turn.
        """
        self.last_turn()
        removed = self._dialogue.turns[-count:]
        self.become(self._dialogue.without_last(count))
        return removed

    def ask(self, question: str, attachments: Sequence[Attachment] = (), steps: Sequence[Message] = ()) -> Answering:
        """Send a question and stream what comes back; the last event is the ``Answer``.

        Closing what is returned, an interruption inside it, or a connection that breaks keeps what was generated as the
        answer. After another error the question is the last turn, without an answer. What is raised is what
        :class:`Answering` says. ``steps`` are calls of tools and their results that came behind the question already.
        """
        turn, wording, self.wording = Turn(question, tuple(attachments), steps=tuple(steps)), self.wording, None
        return _Asking(self, self._dialogue, turn if wording is None else wording(turn), self._sampled(self.sampling))

    def retry(self) -> Answering:
        """Ask the last question again, with another seed; the new answer replaces the old one as soon as it begins.

        Raises:
            UsageError: there is no question.
        """
        turn = self.last_turn()
        again = bool(turn.replies) and self.sampling.temperature == 0 and is_made_by(turn.facts, self.unanswered)
        wanted = replace(
            self.sampling, seed=None, temperature=RETRY_TEMPERATURE if again else self.sampling.temperature
        )
        notice = f"temperature {RETRY_TEMPERATURE}: with 0 the answer would be the same" if again else None
        return _Asking(self, self._dialogue.without_last(), turn, self._sampled(wanted), notice)

    def edit(self, question: str, attachments: Sequence[Attachment] = ()) -> Answering:
        """Ask ``question`` in place of the last one, whose attachments and ``attachments`` go with it.

        Raises:
            UsageError: there is no question.
        """
        turn = Turn(question, (*self.last_turn().attachments, *attachments))
        return _Asking(self, self._dialogue.without_last(), turn, self._sampled(self.sampling))

    def last_turn(self) -> Turn:
        """The last question with what came of it.

        Raises:
            UsageError: there is none.
        """
        if not self._dialogue.turns:
            raise UsageError("no question has been asked yet", "type a question first")
        return self._dialogue.turns[-1]

    def remember(self, before: Dialogue, turn: Turn, answer: Answer, sampling: Sampling) -> None:
        """Keep an answer; one that was interrupted before its first word leaves the turn as it was."""
        self.last = answer
        if answer.finish_reason != "interrupted" or answer.text:
            replies = (*turn.steps, answer.message)
            answered = replace(turn, replies=replies, steps=(), facts=self.facts(answer, sampling))
            self.become(before.with_turn(answered))

    def count(self, dialogue: Dialogue, turn: Turn, closing: Closing | None = None) -> int:
        """The tokens of the prompt that asks ``turn`` after ``dialogue``; it raises what ``Model.count`` raises."""
        return self.model.count(dialogue.messages(turn), tools=self.tools, closing=closing)

    def declared_tokens(self) -> int:
        """How many tokens of the prompt declare the tools; 0 where that can only be estimated."""
        if self.tools is None or not self.counts_exactly:
            return 0
        messages = self._dialogue.messages()
        return self.model.count(messages, tools=self.tools) - self.model.count(messages)

    def events(self, dialogue: Dialogue, turn: Turn, sampling: Sampling) -> Answering:
        """The model's answer to ``turn`` after ``dialogue``; nothing of it is remembered."""
        model = self.formed(self.model)
        return model.answer(dialogue.messages(turn), tools=self.tools, sampling=sampling, ending=self.ending)

    @staticmethod
    def _sampled(sampling: Sampling) -> Sampling:
        """``sampling`` with a seed: an answer can be had again only where it is known."""
        return replace(sampling, seed=secrets.randbelow(1 << 31)) if sampling.seed is None else sampling


class _Asking(Closable[Event]):
    """A question and its answer, remembered when it ends."""

    def __init__(
        self, session: ChatSession, before: Dialogue, turn: Turn, sampling: Sampling, notice: str | None = None
    ) -> None:
        if not turn.replies:
            turn = replace(turn, facts=session.unanswered)

        def events(closing: Closing) -> Generator[Event, None, None]:
            session.become(before.with_turn(turn))
            yield from session.sizes(turn, closing)
            if notice is not None:
                yield Notice(notice)
            sent, asked = before, turn
            if session.fitting is not None:
                sent, asked = yield from session.fitting.fit(session, before, turn, closing)
                session.become(sent.with_turn(asked))  # a summary took time: an interruption must not lose it
            answer = yield from self._answered(session, sent, asked, sampling, closing)
            session.rejected = wrong = session.check(answer)
            if wrong is not None:
                yield Notice(WRONG_CALL.format(wrong))
                asked = replace(asked, steps=(*asked.steps, *correction(answer, wrong)))
                answer = yield from self._answered(session, sent, asked, sampling, closing)
            session.remember(sent, asked, answer, sampling)
            yield answer

        super().__init__(events)
        self._answering = session.events(before, turn, sampling)  # nothing happens before its first event

    def so_far(self) -> Answer:
        """The answer up to now."""
        return self._answering.so_far()

    def _answered(
        self, session: ChatSession, sent: Dialogue, asked: Turn, sampling: Sampling, closing: Closing
    ) -> Generator[Event, None, Answer]:
        """The events of one answer of the model but the last; it is remembered only where it is interrupted."""
        self._answering = answering = session.events(sent, asked, sampling)
        try:
            with closing.woken_by(answering.close):
                for event in answering:
                    if not isinstance(event, Answer):
                        yield event
        except (KeyboardInterrupt, GeneratorExit, NetworkError) as end:
            answering.close()
            answer = answering.so_far()
            if answer.text or not isinstance(end, NetworkError):
                session.remember(sent, asked, answer, sampling)
            raise
        return answering.so_far()
