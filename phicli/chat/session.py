"""A conversation with one model: it remembers what was said, also when an answer was interrupted."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from phicli.answering.types import NO_ENDING, Answer, Answering, Ending, Event, Model
from phicli.chat_format.types import Message
from phicli.engine.closable import Closable, Closing
from phicli.engine.types import Sampling


class ChatSession:
    """One conversation.

    Args:
        model: who answers.
        sampling: how tokens are chosen.
        system: the system message, None for none.
        tools: declarations of tools as a JSON array, None for none.
        ending: what ends an answer beside the model.
    """

    def __init__(
        self,
        model: Model,
        *,
        sampling: Sampling,
        system: str | None = None,
        tools: str | None = None,
        ending: Ending = NO_ENDING,
    ) -> None:
        self.model = model
        self.system = system
        self.last: Answer | None = None
        self._tools = tools
        self._sampling = sampling
        self._ending = ending
        self._turns: list[Message] = []

    @property
    def turns(self) -> Sequence[Message]:
        """The messages so far, without the system message."""
        return tuple(self._turns)

    def clear(self) -> None:
        """Forget the messages; the system message stays."""
        self._turns.clear()

    def ask(self, text: str) -> Answering:
        """Send a user message and stream what comes back; the last event is the ``Answer``.

        Closing what is returned, or an interruption inside it, keeps what was generated as the assistant's message.
        An error leaves the conversation as it was: what it raises is what :class:`Answering` says.
        """
        question = Message("user", text)
        answering = self.model.answer(
            (*self._messages(), question), tools=self._tools, sampling=self._sampling, ending=self._ending
        )
        return _Turn(self, question, answering)

    def remember(self, question: Message, answer: Answer) -> None:
        """Keep a turn; an answer that was interrupted before its first word is as if never asked."""
        self.last = answer
        if answer.finish_reason != "interrupted" or answer.text:
            self._turns += [question, answer.message]

    def _messages(self) -> tuple[Message, ...]:
        system = (Message("system", self.system),) if self.system else ()
        return (*system, *self._turns)


class _Turn(Closable[Event]):
    """A question and its answer, remembered when it ends."""

    def __init__(self, session: ChatSession, question: Message, answering: Answering) -> None:
        def events(closing: Closing) -> Generator[Event, None, None]:
            try:
                with closing.woken_by(answering.close):
                    for event in answering:
                        if not isinstance(event, Answer):
                            yield event
            except (KeyboardInterrupt, GeneratorExit):
                answering.close()
                session.remember(question, answering.so_far())
                raise
            session.remember(question, answering.so_far())
            yield answering.so_far()

        super().__init__(events)
        self._answering = answering

    def so_far(self) -> Answer:
        """The answer up to now."""
        return self._answering.so_far()
