"""What the meter at the prompt shows of the conversation."""

from __future__ import annotations

from phicli.chat.open import OpenChat
from phicli.commands.recording import Recording
from phicli.ui.repl.meter import MeterFacts


def meter_facts(chat: OpenChat, recording: Recording) -> MeterFacts:
    """What is known now; what is uncertain is left out."""
    last = chat.session.last_remembered
    return MeterFacts(
        model=chat.models.located.name,
        loading=chat.opened.loading,
        context_tokens=chat.opened.context_tokens,
        used_tokens=None if last is None else last.used_tokens,
        tokens_per_s=None if last is None else last.tokens_per_s,
        session=(recording.name or "") if recording.saves else "not saved",
    )
