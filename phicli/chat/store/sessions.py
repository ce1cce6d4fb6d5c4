"""The saved sessions: listed, read, written, searched, renamed and removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phicli.chat.store.columns import INFO, info_in, storable, utc_text
from phicli.chat.store.errors import not_found
from phicli.chat.store.form import FORM
from phicli.chat.store.names import LAST, checked_name, key_of, name_of, numbered
from phicli.chat.store.texts import TIDY, Found, found_in, searchable
from phicli.chat.store.types import SavedSession, SessionInfo
from phicli.errors import NotFoundError, UsageError
from phicli.paths import data_dir
from phicli.storage.aside import LastingFile

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue

__all__ = ["Found", "SavedSession", "SessionInfo", "Sessions"]
_NEWEST: Final = "ORDER BY updated_at DESC, id DESC"


class Sessions:
    """The saved sessions.

    Args:
        path: the SQLite file, by default ``sessions.sqlite`` in the data folder; made with the first session.
        wait_s: for how long another process that has the file is waited for.
        on_notice: called with a sentence where a damaged file was set aside.

    Every method can raise IntegrityError for a file of a newer version, PhiError where another process had the file for
    too long, and OSError where it cannot be used; those that write also DoesNotFitError for a full disk.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        wait_s: float | None = None,
        on_notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.path = data_dir() / "sessions.sqlite" if path is None else path
        self._file = LastingFile(self.path, FORM, wait_s, on_notice)

    def list(self, *, limit: int | None = None, older_than: datetime | None = None) -> tuple[SessionInfo, ...]:
        """The sessions, the one that was updated last first; at most ``limit``; those updated before ``older_than``."""
        before = "9999" if older_than is None else utc_text(older_than)
        query = f"SELECT {INFO} FROM sessions WHERE updated_at < ? {_NEWEST} LIMIT ?"  # noqa: S608
        most = -1 if limit is None else limit
        return self._file.read(lambda db: tuple(SessionInfo(*row) for row in db.execute(query, (before, most))), ())

    def get(self, name: str) -> SavedSession:
        """The session called ``name`` in any case, or the one that was updated last for ``last``.

        Raises:
            NotFoundError: there is none.
        """
        saved = self.find(name)
        if saved is None:
            raise self._unknown(name)
        return saved

    def find(self, name: str) -> SavedSession | None:
        """The same, None where there is none."""
        from phicli.chat.store import rows

        def work(db: sqlite3.Connection) -> SavedSession | None:
            key = _row_called(db, name)
            return None if key is None else rows.session_in(db, self.path, key)

        return self._file.read(work, None)

    def find_id(self, session_id: str) -> SavedSession | None:
        """The session with this id, whatever it is called now; None where it was removed."""
        from phicli.chat.store import rows

        def work(db: sqlite3.Connection) -> SavedSession | None:
            key = rows.row_with_id(db, session_id)
            return None if key is None else rows.session_in(db, self.path, key)

        return self._file.read(work, None)

    def create(
        self, name: str | None, model: str, dialogue: Dialogue, *, on_overflow: str | None = None,
        session_id: str | None = None,
    ) -> SavedSession:  # fmt: skip
        """A new session; without a name it gets one from the first question, without an id a fresh one.

        Raises:
            UsageError: the name is taken, or cannot be one.
        """
        from phicli.chat.store import rows

        if name is not None:
            checked_name(name)

        def work(db: sqlite3.Connection) -> SavedSession:
            if name is not None:
                rows.require_free(db, name)
            chosen = name or next(one for one in numbered(name_of(dialogue)) if rows.is_free(db, one))
            return rows.insert(db, self.path, chosen, model, dialogue, on_overflow, session_id=session_id)

        return self._file.write(work)

    def update(self, saved: SavedSession, dialogue: Dialogue, *, model: str, on_overflow: str | None) -> SavedSession:
        """Write what differs from ``saved``.

        Raises:
            SessionChangedError: another process has changed or removed the session.
        """
        from phicli.chat.store import rows

        def work(db: sqlite3.Connection) -> SavedSession:
            key = rows.unchanged_row(db, saved)
            before, turns = saved.dialogue.turns, dialogue.turns
            same = next((n for n, pair in enumerate(zip(before, turns, strict=False)) if pair[0] != pair[1]),
                        min(len(before), len(turns)))  # fmt: skip
            return rows.rewrite(db, self.path, key, model, dialogue, on_overflow, same=same)

        return self._file.write(work)

    def fork(self, saved: SavedSession, dialogue: Dialogue, *, model: str, on_overflow: str | None) -> SavedSession:
        """A copy of the session with another dialogue, called ``NAME-2``, then ``NAME-3``, …"""
        from phicli.chat.store import rows

        def work(db: sqlite3.Connection) -> SavedSession:
            names = numbered(saved.info.name)
            next(names)
            name = next(one for one in names if rows.is_free(db, one))
            return rows.insert(db, self.path, name, model, dialogue, on_overflow)

        return self._file.write(work)

    def rename(self, name: str, new: str) -> SessionInfo:
        """Give the session called ``name`` another name. Its revision stays the same.

        Raises:
            NotFoundError: there is no such session.
            UsageError: the name is taken, or cannot be one.
        """
        info = self._renamed(lambda db: _row_called(db, name), new)
        if info is None:
            raise self._unknown(name)
        return info

    def rename_id(self, session_id: str, new: str) -> SessionInfo:
        """The same for the session with this id, whatever it is called now.

        Raises:
            NotFoundError, UsageError: as for :meth:`rename`.
        """
        from phicli.chat.store import rows

        info = self._renamed(lambda db: rows.row_with_id(db, session_id), new)
        if info is None:
            raise NotFoundError("the session was removed", "see all sessions: phi sessions list")
        return info

    def remove(self, names: Sequence[str]) -> tuple[SessionInfo, ...]:
        """Remove sessions; all of them or none. What was said in them is overwritten in the file.

        Raises:
            NotFoundError: there is no session of a name.
        """
        from phicli.chat.store import rows

        missing: list[str] = []

        def work(db: sqlite3.Connection) -> tuple[SessionInfo, ...]:
            keys = [(name, _row_called(db, name)) for name in names]
            missing.extend(name for name, key in keys if key is None)
            if missing:
                return ()
            found = {key: info_in(db, key) for _, key in keys if key is not None}
            for key in found:
                rows.delete(db, key)
            return tuple(found.values())

        if names and not self.path.exists():
            raise self._unknown(names[0])
        removed = self._file.write(work) if names else ()
        if missing:
            raise self._unknown(missing[0])
        if removed:
            self._file.compact(TIDY)
        return removed

    def remove_id(self, session_id: str) -> bool:
        """Remove the session with this id, whatever it is called now; False where it is gone already."""
        from phicli.chat.store import rows

        def work(db: sqlite3.Connection) -> bool:
            if (key := rows.row_with_id(db, session_id)) is None:
                return False
            rows.delete(db, key)
            return True

        removed = self.path.exists() and self._file.write(work)
        if removed:
            self._file.compact(TIDY)
        return removed

    def search(self, text: str, *, limit: int) -> tuple[Found, ...]:
        """Where ``text`` occurs in any case, the newest sessions first.

        Raises:
            UsageError: there is nothing to search for.
        """
        wanted = searchable(text).strip()
        if not wanted:
            raise UsageError("no text to search for was given", 'give a text: phi sessions search "a text"')

        def work(db: sqlite3.Connection) -> tuple[Found, ...]:
            query = f"SELECT id, {INFO} FROM sessions {_NEWEST}"  # noqa: S608
            infos = {row[0]: SessionInfo(*row[1:]) for row in db.execute(query)}
            return found_in(db, wanted, infos, limit)

        return self._file.read(work, ())

    def _renamed(self, find: Callable[[sqlite3.Connection], int | None], new: str) -> SessionInfo | None:
        from phicli.chat.store import rows

        checked_name(new)

        def work(db: sqlite3.Connection) -> SessionInfo | None:
            if (key := find(db)) is None:
                return None
            if key_of(new) != key_of(info_in(db, key).name):
                rows.require_free(db, new)
            db.execute("UPDATE sessions SET name = ?, name_key = ? WHERE id = ?", (new, key_of(new), key))
            return info_in(db, key)

        return self._file.write(work) if self.path.exists() else None

    def _unknown(self, name: str) -> NotFoundError:
        if key_of(name) == LAST:
            return NotFoundError("no conversation is saved yet", "start one: phi chat tiny-phi")
        import difflib

        names = {key_of(info.name): info.name for info in self.list()}
        near = difflib.get_close_matches(key_of(name), names, n=1)
        return not_found(name, names[near[0]] if near else None)


def _row_called(db: sqlite3.Connection, name: str) -> int | None:
    """The number of the row of the session called ``name``, or of the last one; None where there is none."""
    if key_of(name) == LAST:
        row = db.execute(f"SELECT id FROM sessions {_NEWEST} LIMIT 1").fetchone()  # noqa: S608
    else:
        row = db.execute("SELECT id FROM sessions WHERE name_key = ?", (storable(key_of(name)),)).fetchone()
    return None if row is None else int(row[0])
