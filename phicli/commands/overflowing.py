"""What happens when a conversation exceeds the context: what the options say, or what a person chooses."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from phicli.answering.types import Event
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.overflow import Overflow, Overflowing
from phicli.chat.screen import ReplScreen
from phicli.chat.session import ChatSession
from phicli.commands.conversation_options import Conversation
from phicli.engine.closable import Closing
from phicli.errors import ContextExceededError
from phicli.units import counted

ASK: Final = "ask"
_CHOICES: Final = {
    "drop": "drop: the oldest turns are no longer sent",
    "summarize": "summarize: the model summarizes the oldest turns, and files that are too long",
    "error": "error: nothing is left out; use /undo or /edit",
}


def overflow_of(
    wanted: Conversation, *, screen: ReplScreen | None = None, on_choice: Callable[[str], None] = lambda _: None
) -> Overflow:
    """What makes the conversation fit.

    Args:
        wanted: the options; what was chosen for a saved session before counts where nothing is asked for.
        screen: where a person is asked, once; None where nobody can be asked.
        on_choice: called with the choice.
    """
    if screen is None:
        see = f"phi sessions show {wanted.session.name or 'last'}" if wanted.session.asked else ""
        return Overflow(wanted.policy or ASK, see_summary=see)
    kind = AskingAgain if wanted.session.on_overflow is None else Overflow
    return kind(
        wanted.policy or ASK, choose=lambda facts: _asked(screen, facts), on_choice=on_choice,
        see_summary="/summary",
    )  # fmt: skip


class AskingAgain(Overflow):
    """Asks again where what was chosen did not help."""

    def fit(
        self, session: ChatSession, before: Dialogue, turn: Turn, closing: Closing
    ) -> Generator[Event, None, tuple[Dialogue, Turn]]:
        """As :class:`~phicli.chat.overflow.Overflow` says."""
        try:
            return (yield from super().fit(session, before, turn, closing))
        except ContextExceededError:
            self.policy = ASK
            raise


def _asked(screen: ReplScreen, facts: Overflowing) -> str:
    turns = f" to the {counted(facts.turns, 'older turn')}" if facts.turns else ""
    question = (
        f"The conversation has {facts.prompt_tokens:,} tokens, and the context has {facts.context_tokens:,}. "
        f"What should happen{turns} from now on?"
    )
    chosen = screen.choose(question, list(_CHOICES.values()))
    return "error" if chosen is None else list(_CHOICES)[chosen]
