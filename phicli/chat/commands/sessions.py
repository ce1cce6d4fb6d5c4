"""Commands for what is saved: ``/save``, ``/load``, ``/forget``, ``/sessions``."""

from __future__ import annotations

import shlex

from phicli.chat.commands.turns import where_it_stands
from phicli.chat.talk import Talk


def save(talk: Talk, name: str) -> bool:
    """Save the conversation under a name."""
    talk.require_record().save_as(name, talk.session.dialogue)
    saved = "is saved" if talk.session.dialogue.turns else "is saved with its first question"
    command = shlex.join(["phi", "chat", "--session", name])
    talk.screen.tell(f"the conversation {saved} as {name}; to continue it later: {command}")
    return True


def load(talk: Talk, name: str) -> bool:
    """Continue a saved conversation here."""
    record = talk.require_record()
    before = record.name
    record.load(name)
    if before is not None and before != record.name:
        talk.screen.tell(f"the conversation before is saved as {before}")
    talk.screen.tell(where_it_stands(talk.session.dialogue, record.name))
    return True


def forget(talk: Talk, _: str) -> bool:
    """Remove the saved conversation from the disk."""
    record = talk.require_record()
    saved = record.saves
    name = record.forget()
    if name:
        talk.screen.tell(f"{name} was removed from the disk")
    state = f"this conversation is not saved{' from now on' if saved else ''}"
    talk.screen.tell(f"{state}; to save it: /save NAME; to begin another one: /new")
    return True


def sessions(talk: Talk, _: str) -> bool:
    """List the newest saved conversations."""
    lines = talk.require_record().lines()
    talk.screen.tell("\n".join(lines) if lines else "no conversation is saved yet")
    if lines:
        talk.screen.tell("to continue one here: /load NAME; see all: phi sessions list")
    return True
