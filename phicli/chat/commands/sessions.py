"""Commands for what is saved: ``/save``, ``/forget``, ``/sessions``."""

from __future__ import annotations

from phicli.chat.talk import Talk


def save(talk: Talk, name: str) -> bool:
    """Save the conversation under a name."""
    talk.require_record().save_as(name, talk.session.dialogue)
    saved = "is saved" if talk.session.dialogue.turns else "is saved with its first question"
    talk.screen.tell(f"the conversation {saved} as {name}; to continue it later: phi chat --session {name}")
    return True


def forget(talk: Talk, _: str) -> bool:
    """Remove the saved conversation from the disk."""
    name = talk.require_record().forget()
    talk.screen.tell(f"{name} was removed from the disk" if name else "this conversation was not saved")
    talk.screen.tell("it is not saved from now on; to save it: /save NAME; to begin another one: /new")
    return True


def sessions(talk: Talk, _: str) -> bool:
    """List the newest saved conversations."""
    lines = talk.require_record().lines()
    talk.screen.tell("\n".join(lines) if lines else "no conversation is saved yet")
    if lines:
        talk.screen.tell("to continue one: phi chat --session NAME; see all: phi sessions list")
    return True
