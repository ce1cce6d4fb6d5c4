"""What the meter at the prompt shows of the conversation."""

from __future__ import annotations

from phicli.chat.open import OpenChat
from phicli.commands.recording import Recording
from phicli.ui.repl.meter import MeterFacts


def meter_facts(chat: OpenChat, recording: Recording) -> MeterFacts:
    """What is known now; what is uncertain is left out."""
    last = chat.session.last_remembered
    speed = last.timings.decode_tps if last is not None and last.timings is not None else 0.0
    return MeterFacts(
        model=chat.models.located.name,
        loading=chat.opened.loading,
        context_tokens=chat.session.model.context_tokens,
        used_tokens=None if last is None else last.used_tokens,
        tokens_per_s=speed or None,
        session=(recording.name or "") if recording.saves else "not saved",
    )
