"""What the meter at the prompt shows of the conversation."""

from __future__ import annotations

from phicli.answering.types import Answer
from phicli.chat.open import OpenChat
from phicli.commands.recording import Recording
from phicli.ui.repl.meter import MeterFacts


def meter_facts(chat: OpenChat, recording: Recording) -> MeterFacts:
    """The facts of the moment; what is not known for sure is left out."""
    engine, last = chat.opened.engines[-1], _last_answer(chat)
    speed = last.timings.decode_tps if last is not None and last.timings is not None else 0.0
    return MeterFacts(
        model=chat.models.located.name,
        loading=engine.loading,
        context_tokens=chat.session.model.context_tokens,
        used_tokens=None if last is None else last.used_tokens,
        tokens_per_s=speed or None,
        session=(recording.name or "") if recording.saves else "not saved",
    )


def _last_answer(chat: OpenChat) -> Answer | None:
    """The answer to the last question; None where the conversation was changed after it, or there is none."""
    last, turns = chat.session.last, chat.session.dialogue.turns
    return last if last is not None and turns and last.message in turns[-1].replies else None
