"""Commands that show where a conversation stands: ``/show`` and ``/tokens``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from phicli.chat.commands.settings import value_of
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.session import FAR_LONGER
from phicli.chat.settings import SETTINGS, value_says
from phicli.chat.talk import Talk
from phicli.plan.locate import shortened as on_one_line
from phicli.plan.prompt_size import estimate_prompt
from phicli.units import counted

_LONGEST_NAME: Final = 30
"""Characters of a path in a column."""


def show(talk: Talk, _: str) -> bool:
    """Show the model, the context, the settings, and what is saved."""
    talk.screen.tell(aligned([*_facts(talk)]))
    return True


def tokens(talk: Talk, _: str) -> bool:
    """Show how many tokens each part of the next prompt has."""
    limit = talk.session.model.context_tokens
    dialogue, waiting = talk.session.dialogue, Turn("", talk.pending)
    about = estimate_prompt(message.content for message in dialogue.messages(waiting))
    if limit is not None and about > FAR_LONGER * limit:
        talk.screen.tell(f"the next prompt has about {counted(about, 'token')}, but the context has only {limit:,}")
        return True
    parts = list(_parts(talk, dialogue))
    total = sum(count for _, count in parts)
    number = max(len(f"{total:,}"), 5)
    lines = [(label, f"{count:>{number},}") for label, count in [*parts, ("total", total)]]
    if not talk.session.counts_exactly:
        lines.append(("", "all estimated: only the remote can count"))
    size = "unknown" if limit is None else f"{limit:>{number},} tokens, {max(limit - total, 0):,} of them free"
    talk.screen.tell(aligned([*lines, ("context", size)]))
    return True


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Labels and values, one pair per line, the values below each other."""
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {value}" for label, value in rows)


def _facts(talk: Talk) -> Iterator[tuple[str, str]]:
    session = talk.session
    yield from talk.models.facts()
    dialogue, limit = session.dialogue, session.model.context_tokens
    last = session.last_remembered
    used = 0 if last is None else last.used_tokens
    size = "" if limit is None else f" of {limit:,}"
    whole = "unknown" if limit is None else f"{limit:,} tokens"
    yield "context", f"{used:,}{size} tokens used" if used else f"{whole} (/tokens counts what is used)"
    yield "turns", f"{len(dialogue.turns)}{f', {dialogue.left_out} no longer sent' if dialogue.left_out else ''}"
    if dialogue.system:
        yield "system", on_one_line(dialogue.system)
    numbers = [f"{one.name} {value_says(value_of(talk, one))}" for one in SETTINGS]
    yield "settings", ", ".join(numbers)
    chosen = ", ".join(session.chosen.values)
    if chosen:
        yield "changed", f"{chosen} (/set NAME default sets one back)"
    yield "reasoning", "off" if session.ending.think_tokens == 0 else f"{talk.screen.thinking} (/think)"
    yield "session", _saved(talk)
    if talk.pending:
        yield "files", f"{', '.join(_name(one) for one in talk.pending)}; sent with the next question"


def _saved(talk: Talk) -> str:
    record = talk.record
    if not record.saves:
        return f"{record.name}, but its last change could not be saved" if record.name else "not saved (/save NAME)"
    return f"{record.name}, saved" if record.name else "saved with its first question"


def _parts(talk: Talk, dialogue: Dialogue) -> Iterator[tuple[str, int]]:
    """The parts of the next prompt and their tokens: each is what it adds to a prompt without it."""
    bare = _count(talk, Dialogue())
    before = _count(talk, Dialogue(dialogue.system))
    yield "prompt format", bare
    if dialogue.system:
        yield "system message", before - bare
    sent = tuple(turn for turn in dialogue.turns[dialogue.left_out :] if turn.replies)
    every = [one for turn in dialogue.turns if turn.replies for one in turn.attachments]
    everything = _count(talk, dialogue)
    files = [(_name(one), _count(talk, Dialogue(), (one,)) - bare) for one in every]
    yield from files
    rest = everything - before - sum(count for _, count in files)
    if dialogue.summary:
        summary = everything - _count(talk, replace(dialogue, summary=None))
        yield "summary", summary
        rest -= summary
    if sent or rest:
        yield counted(len(sent), "turn"), rest
    for number, one in enumerate(talk.pending, 1):
        until = _count(talk, dialogue, talk.pending[:number])
        yield f"{_name(one)} (waits)", until - everything
        everything = until


def _count(talk: Talk, dialogue: Dialogue, files: tuple[Attachment, ...] = ()) -> int:
    return talk.session.count(dialogue, Turn("", files))


def _name(attachment: Attachment) -> str:
    name = attachment.title
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
