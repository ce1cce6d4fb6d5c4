"""Saves a conversation whenever it changes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from phicli.chat.dialogue import Dialogue
from phicli.chat.store.errors import SessionChangedError
from phicli.chat.store.names import checked_name
from phicli.chat.store.sessions import SavedSession, Sessions
from phicli.errors import PhiError, UsageError, reason_of


class Saver:
    """Saves one conversation.

    Args:
        sessions: where to.
        saved: the session that goes on; None for one that begins with the first question.
        name: what a new session is called; None for a name of its first question.
        model: what the model is called on the command line.
        tell: shows a line about what is not saved.
        note: shows a line about where it is saved; None: as ``tell``.

    A disk that is full, or cannot be written, is told once, and tried again at the next change.
    """

    def __init__(
        self,
        sessions: Sessions,
        saved: SavedSession | None,
        name: str | None,
        model: str,
        tell: Callable[[str], None],
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._sessions = sessions
        self._saved = saved
        self._name = name
        self._model = model
        self._tell = tell
        self._note = note or tell
        self._on_overflow = saved.on_overflow if saved is not None else None
        self._new_id = secrets.token_hex(8)
        self._tried: Dialogue | None = None
        self._failed = self._forgotten = False

    @property
    def saved(self) -> SavedSession | None:
        """The session as it was written last; None where nothing is saved."""
        return self._saved

    @property
    def saves(self) -> bool:
        """Whether the conversation is saved when it changes: it was not removed, and the last attempt did not fail."""
        return not (self._failed or self._forgotten)

    def save(self, dialogue: Dialogue) -> None:
        """Save what the conversation is now; one without a question is saved with its first.

        Raises:
            PhiError, OSError: it cannot be saved.
        """
        if not self._forgotten and (self._saved is not None or dialogue.turns):
            self._saved = self._written(dialogue)
            self._failed = False

    def changed(self, dialogue: Dialogue) -> None:
        """The same where nobody asked for it: what goes wrong is told once."""
        try:
            self.save(dialogue)
        except (PhiError, OSError) as error:
            if not self._failed:
                why = error.message if isinstance(error, PhiError) else f"{reason_of(error)}: {error.filename}"
                self._tell(f"this conversation is not saved: {why}")
            self._failed = True

    def set_model(self, reference: str) -> None:
        """From now on another model answers."""
        self._model = reference

    def set_overflow(self, word: str | None) -> None:
        """Remember what was chosen for a full context; it is saved with the next change."""
        self._on_overflow = word

    def rename(self, name: str) -> None:
        """Call the session ``name``, also one that is not saved yet.

        Raises:
            PhiError: the name cannot be used, or nothing can be written.
        """
        if self._saved is not None:
            info = self._sessions.rename_id(self._saved.info.session_id, name)
            self._saved = replace(
                self._saved, info=info
            )  # its revision stays: changes made elsewhere are still noticed
        else:
            self._name = checked_name(name)

    def forget(self) -> None:
        """Remove the session; nothing of this conversation is saved from now on.

        Raises:
            PhiError, OSError: it cannot be removed.
        """
        if self._saved is not None:
            self._sessions.remove_id(self._saved.info.session_id)
        self._saved, self._forgotten = None, True

    def _written(self, dialogue: Dialogue) -> SavedSession:
        model, on_overflow = self._model, self._on_overflow
        saved = self._after_interruption()
        self._tried = dialogue
        if saved is None:
            return self._created(dialogue)
        try:
            written = self._sessions.update(saved, dialogue, model=model, on_overflow=on_overflow)
            self._tried = None
            return written
        except SessionChangedError:
            return self._forked(saved, dialogue)

    def _created(self, dialogue: Dialogue) -> SavedSession:
        """A new session, or where its name was taken since it was chosen, one called ``NAME-2``."""
        name = self._name
        try:
            created = self._sessions.create(
                name, self._model, dialogue, on_overflow=self._on_overflow, session_id=self._new_id
            )
            self._tried = None
            return created
        except UsageError:
            other = None if name is None else self._sessions.find(name)
            if other is None:
                raise
        return self._forked(other, dialogue)

    def _forked(self, other: SavedSession, dialogue: Dialogue) -> SavedSession:
        copy = self._sessions.fork(other, dialogue, model=self._model, on_overflow=self._on_overflow)
        self._tried = None
        self._note(f"{other.info.name} is in use elsewhere; this conversation continues as {copy.info.name}")
        return copy

    def _after_interruption(self) -> SavedSession | None:
        """What is saved after Ctrl-C or an error has ended the last change, which may have been complete by then."""
        saved = self._saved
        if self._tried is None:
            return saved
        current = self._sessions.find_id(self._new_id if saved is None else saved.info.session_id)
        return current if current is not None and current.dialogue == self._tried else saved
