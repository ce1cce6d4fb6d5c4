"""The line at the foot of the prompt: which model answers, how full its context is, how fast it was, what is saved."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.ui.wrapping import cells

_GAP = "  "


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What is known of a conversation between two answers.

    Attributes:
        model: the model's name.
        loading: the model is not loaded yet.
        context_tokens: the context size; None where it is unknown.
        used_tokens: the tokens of the conversation; None where they are not known, as after a turn was removed.
        tokens_per_s: the speed of the last answer; None where there is none.
        session: the name of the saved session, or ``not saved``; empty while there is nothing to save.
    """

    model: str
    loading: bool = False
    context_tokens: int | None = None
    used_tokens: int | None = None
    tokens_per_s: float | None = None
    session: str = ""


def meter(facts: MeterFacts, columns: int) -> str:
    """``facts`` in at most ``columns`` columns; where it is too long, the last parts are left out."""
    parts = _parts(facts)
    while len(parts) > 1 and cells(_GAP.join(parts)) > columns:
        parts.pop()
    return _shortened(_GAP.join(parts), columns)


def _parts(facts: MeterFacts) -> list[str]:
    parts = [facts.model]
    if facts.loading:
        parts.append("loading")
    if facts.context_tokens is not None:
        size = f"{facts.context_tokens:,}"
        used = facts.used_tokens
        parts.append(f"context of {size} tokens" if used is None else f"{used:,} of {size} tokens")
    if facts.tokens_per_s is not None:
        parts.append(f"{facts.tokens_per_s:.1f} tokens/s")
    if facts.session:
        parts.append(facts.session)
    return parts


def _shortened(text: str, columns: int) -> str:
    if cells(text) <= columns:
        return text
    while text and cells(text) >= columns:
        text = text[:-1]
    return f"{text}…" if columns > 0 else ""
