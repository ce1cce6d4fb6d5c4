"""What happens to a conversation that does not fit into the context: an error, or older parts of it are not sent."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from phicli.answering.types import Event, Model, Notice
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.session import ChatSession
from phicli.chat.shortening import Sent, Shortening
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.plan.context import answer_room

_AROUND_PROMPT: Final = 1024
"""Tokens of a prompt at most beside its texts: the system message of a prompt format is the longest part of them."""

_AROUND_MESSAGE: Final = 16


@dataclass(frozen=True, slots=True)
class Overflowing:
    """What a person should know to choose a policy: counts of tokens, of turns that could be left out, of files."""

    prompt_tokens: int
    context_tokens: int
    turns: int
    attachments: int


Choose = Callable[[Overflowing], str]
"""Asks a person for a policy: ``error``, ``drop`` or ``summarize``."""


class Overflow:
    """Makes a conversation fit (:class:`~phicli.chat.session.Fitting`), with tokens left for an answer.

    Args:
        policy: one of :data:`~phicli.plan.chat_options.POLICIES`. ``error`` leaves the conversation as it is: the model
            refuses it where it does not fit. The attribute of this name may be changed.
        choose: asks the person under ``ask``, once; None where nobody can be asked, which is an ``error``.
        on_choice: is told what the person chose.
        see_summary: the command that shows a summary, for the notice about one; empty for none.
    """

    def __init__(
        self,
        policy: str,
        *,
        choose: Choose | None = None,
        on_choice: Callable[[str], None] = lambda _: None,
        see_summary: str = "",
    ) -> None:
        self.policy = policy
        self._choose = choose
        self._on_choice = on_choice
        self._known: _Known | None = None
        self._said_unknown = False
        self._see = f"; see it: {see_summary}" if see_summary else ""

    def fit(
        self, session: ChatSession, before: Dialogue, turn: Turn, closing: Closing
    ) -> Generator[Event, None, tuple[Dialogue, Turn]]:
        """What is sent of ``before`` with ``turn``; see :class:`~phicli.chat.session.Fitting`."""
        if self.policy == "error":
            return before, turn
        limit = session.model.context_tokens
        sent = Sent(before, turn)
        if limit is None and self.policy != "ask" and not self._said_unknown:
            self._said_unknown = True
            yield Notice(f"the context size of {session.model.name} is unknown, so nothing is left out ({self.policy})")
        if limit is None or (self.policy == "ask" and self._choose is None):
            return before, turn
        work = Shortening(session, limit, min(answer_room(session.sampling.max_tokens), limit // 4), closing)
        if self._most_tokens(session, sent) <= work.goal:
            return before, turn
        tokens = least if (least := work.least(sent)) > limit else self._counted(work, sent)
        if tokens <= work.goal:
            return before, turn
        if self.policy == "ask" and (sent.whole or work.count(sent.least) < limit):  # else no choice helps
            self._ask(Overflowing(tokens, limit, len(sent.answered), len(sent.whole)))
        if self.policy == "drop":
            sent = yield from work.dropped(sent)
        elif self.policy == "summarize":
            sent = yield from work.summarized(sent, self._see)
        if sent != Sent(before, turn):
            self._counted(work, sent)
        return sent.before, sent.turn

    def _ask(self, facts: Overflowing) -> None:
        if self._choose is not None and (facts.turns or facts.attachments):
            self.policy = self._choose(facts)
            self._on_choice(self.policy)

    def _counted(self, work: Shortening, sent: Sent) -> int:
        """The tokens of a prompt, which are remembered: they do not change when the conversation goes on."""
        tokens = work.count(sent)
        self._known = _Known(work.session.model, sent.before.messages(sent.turn), tokens)
        return tokens

    def _most_tokens(self, session: ChatSession, sent: Sent) -> int:
        """A bound of the tokens of a prompt that is known without the engine: no token is less than a byte."""
        messages, known = sent.before.messages(sent.turn), self._known
        begins = (
            known is not None and known.model is session.model and messages[: len(known.messages)] == known.messages
        )
        if known is not None and begins:
            return known.tokens + sum(map(_most_of, messages[len(known.messages) :]))
        return _AROUND_PROMPT + len((session.tools or "").encode()) + sum(map(_most_of, messages))


@dataclass(frozen=True, slots=True)
class _Known:
    """Messages that were counted, and their tokens in the vocabulary of ``model``."""

    model: Model
    messages: tuple[Message, ...]
    tokens: int


def _most_of(message: Message) -> int:
    if message.token_ids is not None:
        return _AROUND_MESSAGE + len(message.token_ids)
    text = message.content + "".join(f"{call.name}{call.arguments}" for call in message.tool_calls)
    return _AROUND_MESSAGE + len(text.encode("utf-8", errors="surrogatepass"))
