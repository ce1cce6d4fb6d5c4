"""What a saved session is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session without what was said in it.

    Attributes:
        session_id: random, the same after a new name.
        name: what it is called; no two names differ in their case only.
        model: what its model is called on the command line.
        turns: how many there are.
        title: the first question on one line, shortened.
        created_at: ISO 8601, UTC.
        updated_at: the same, of the last change.
    """

    session_id: str
    name: str
    model: str
    turns: int
    title: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session as it was read or written; ``revision`` changes with every change of it.

    ``on_overflow`` is what a person chose for it when the context was full; None where nothing was chosen.
    """

    info: SessionInfo
    revision: int
    dialogue: Dialogue
    on_overflow: str | None
