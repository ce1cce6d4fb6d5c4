"""Saves a conversation while it continues, as the commands of the REPL ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from phicli.errors import NotFoundError, PhiError, reason_of

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue
    from phicli.chat.store.saving import Saver
    from phicli.chat.store.sessions import SavedSession, Sessions

_NEWEST: Final = 10
_COMPLETED: Final = 100
_Result = TypeVar("_Result")


class Recording:
    """Where a conversation is saved (:class:`~phicli.chat.talk.Record`).

    Args:
        sessions: opens the saved sessions; called when they are needed.
        model: what the model is called on the command line.
        tell: shows a line about what is not saved.
        note: shows a line about where it is saved; None: as ``tell``.
        saved: the session that goes on; None for a conversation that begins.
        name: what a new session is called; None for a name of its first question.
        saves: whether what is said is saved, before a person asks for it.
        policy: what was chosen for a full context in the session that goes on.

    ``on_begin`` is called when another conversation begins, ``on_load`` with a saved one before it continues, and
    ``on_loaded`` when it continues; after Ctrl-C at that moment ``on_loaded`` is called twice.
    """

    def __init__(
        self, sessions: Callable[[], Sessions], model: str, tell: Callable[[str], None], *,
        note: Callable[[str], None] | None = None,
        saved: SavedSession | None = None, name: str | None = None, saves: bool = True,
        policy: str | None = None,
    ) -> None:  # fmt: skip
        self._open = sessions
        self._model = model
        self._tell = tell
        self._note = note
        self._saves = saves
        self._policy = policy
        self.on_begin: Callable[[], None] = lambda: None
        self.on_load: Callable[[SavedSession], None] = lambda _: None
        self.on_loaded: Callable[[SavedSession], None] = lambda _: None
        self._saver = self._begun(saved, name) if saves else None

    @property
    def saved(self) -> SavedSession | None:
        """The session as it was saved last; None where nothing is saved."""
        return None if self._saver is None else self._saver.saved

    @property
    def name(self) -> str | None:
        """Its name."""
        return None if self.saved is None else self.saved.info.name

    @property
    def saves(self) -> bool:
        """Whether what is said now is saved, or will be with the first question."""
        return self._saver is not None and self._saver.saves

    def changed(self, dialogue: Dialogue) -> None:
        """Save what the conversation is now."""
        if self._saver is not None:
            self._saver.changed(dialogue)

    def begin(self) -> None:
        """From now on another session is saved; this one stays as it is."""
        self._policy = None
        self.on_begin()
        self._saver = self._begun(None, None) if self._saves else None

    def load(self, name: str) -> None:
        """Go on with the saved session ``name``; where its model cannot be loaded nothing has changed."""
        try:
            saved = _said(lambda: self._open().get(self._meant(name)))
        except NotFoundError as error:
            error.hint = "see the saved conversations: /sessions; to continue with another model: /model NAME"
            raise
        self.on_load(saved)

        def go_on() -> None:
            self._model, self._policy = saved.info.model, saved.on_overflow
            self._saver = self._begun(saved, None) if self._saves else None
            self.on_loaded(saved)

        try:
            go_on()
        except KeyboardInterrupt:  # half of it would save one conversation as the other
            go_on()
            raise

    def forget(self) -> str | None:
        """Remove the saved session; the conversation goes on unsaved. Returns its name, None where there was none."""
        from phicli.answering.kept_states import remove_state

        saved, saver = self.saved, self._saver
        if saver is not None:
            _said(saver.forget)
        self._saver = None
        if saved is not None:
            remove_state(saved.info.session_id)
        return None if saved is None else saved.info.name

    def save_as(self, name: str, dialogue: Dialogue) -> None:
        """Save the conversation under ``name`` from now on."""
        saver = self._saver
        if saver is not None and saver.saved is not None:
            _said(lambda: saver.rename(name))
            return
        _said(lambda: self._require_new(name))
        begun = self._begun(None, name)
        _said(lambda: begun.save(dialogue))
        self._saver = begun

    def names(self) -> Sequence[str]:
        """The names of the newest saved sessions that can be loaded, as they are typed."""
        names = [info.name for info in _said(lambda: self._open().list(limit=_COMPLETED)) if info.name != self.name]
        return [f'"{name}"' if " " in name else name for name in names]

    def lines(self) -> Sequence[str]:
        """The newest saved sessions, one per line."""
        infos = _said(lambda: self._open().list(limit=_NEWEST))
        width = max((len(info.name) for info in infos), default=0)
        return [f"{info.name:<{width}}  {_shown(info.model)}  {info.title}" for info in infos]

    def set_model(self, reference: str) -> None:
        """From now on another model answers."""
        self._model = reference
        if self._saver is not None:
            self._saver.set_model(reference)

    def set_policy(self, policy: str | None) -> None:
        """Remember what was chosen for a full context; None where nothing is."""
        self._policy = policy
        if self._saver is not None:
            self._saver.set_overflow(policy)

    def _begun(self, saved: SavedSession | None, name: str | None) -> Saver:
        from phicli.chat.store.saving import Saver

        saver = Saver(self._open(), saved, name, self._model, self._tell, self._note)
        if self._policy is not None:
            saver.set_overflow(self._policy)
        return saver

    def _meant(self, name: str) -> str:
        """``name``; for ``last`` the session that was saved last beside the one that goes on."""
        from phicli.chat.store.names import LAST, key_of

        running = self.saved
        if key_of(name) != LAST or running is None:
            return name
        others = (info for info in self._open().list(limit=2) if info.session_id != running.info.session_id)
        return next((info.name for info in others), name)

    def _require_new(self, name: str) -> None:
        from phicli.chat.store.names import checked_name
        from phicli.errors import UsageError

        if self._open().find(checked_name(name)) is not None:
            raise UsageError(f"a session called {name} already exists", "choose another name, or see /sessions")


def _shown(model: str) -> str:
    """The name of a model on one line: of a file without its folder, of a remote with the name of the remote."""
    from phicli.commands.locating import remote_named

    try:
        remote = remote_named(model)
    except PhiError:  # the file of the remotes has an error; whoever needs it says so
        remote = None
    return Path(model).name if remote is None else model


def _said(work: Callable[[], _Result]) -> _Result:
    """What ``work`` returns; an error of the system becomes a ``PhiError``."""
    try:
        return work()
    except OSError as error:
        raise PhiError(f"the saved sessions cannot be used: {reason_of(error)}: {error.filename}") from error
