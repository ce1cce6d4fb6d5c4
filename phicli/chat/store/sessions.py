"""The saved sessions: listed, read, written, searched, renamed and removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from phicli.chat.dialogue import Dialogue
from phicli.chat.store.data import to_text, turn_of
from phicli.chat.store.database import SessionFile
from phicli.chat.store.errors import SessionChangedError
from phicli.chat.store.names import LAST, checked_name, key_of, name_of, numbered, title_of
from phicli.chat.store.texts import Found, found_in, remove_texts, save_texts
from phicli.chat.store.types import SavedSession, SessionInfo
from phicli.errors import NotFoundError, UsageError
from phicli.paths import data_dir

__all__ = ["Found", "SavedSession", "SessionInfo", "Sessions"]
_INFO: Final = "session_id, name, model, turns, title, created_at, updated_at"
_TURN_BITS: Final = 20
"""The id of a turn is that of its session, shifted, and its number."""


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
        self._file = SessionFile(self.path, wait_s, on_notice)

    def list(self, *, limit: int | None = None, older_than: datetime | None = None) -> tuple[SessionInfo, ...]:
        """The sessions, the one that was updated last first; at most ``limit``; those updated before ``older_than``."""
        before = "9999" if older_than is None else _iso(older_than)
        query = f"SELECT {_INFO} FROM sessions WHERE updated_at < ? ORDER BY updated_at DESC, id DESC LIMIT ?"  # noqa: S608
        most = -1 if limit is None else limit
        return self._file.read(lambda db: tuple(SessionInfo(*row) for row in db.execute(query, (before, most))), ())

    def get(self, name: str) -> SavedSession:
        """The session called ``name`` in any case, or the one that was updated last for ``last``.

        Raises:
            NotFoundError: there is none.
        """
        saved = self.find(name)
        if saved is not None:
            return saved
        if name.lower() == LAST:
            raise NotFoundError("no conversation is saved yet", "start one: phi chat tiny-phi")
        import difflib

        names = [info.name for info in self.list()]
        near = difflib.get_close_matches(key_of(name), map(key_of, names), n=1)
        known = [other for other in names if near and key_of(other) == near[0]]
        hint = f"did you mean {known[0]}? " if known else ""
        raise NotFoundError(f"session {name!r} not found", f"{hint}see all sessions: phi sessions list")

    def find(self, name: str) -> SavedSession | None:
        """The same, None where there is none."""

        def work(db: sqlite3.Connection) -> SavedSession | None:
            if name.lower() == LAST:
                row = db.execute("SELECT id FROM sessions ORDER BY updated_at DESC, id DESC LIMIT 1").fetchone()
            else:
                row = db.execute("SELECT id FROM sessions WHERE name_key = ?", (key_of(name),)).fetchone()
            return None if row is None else _saved(db, row[0])

        return self._file.read(work, None)

    def create(self, name: str | None, model: str, dialogue: Dialogue) -> SavedSession:
        """A new session; without a name it gets one from the first question.

        Raises:
            UsageError: the name is taken, or cannot be one.
        """
        if name is not None:
            checked_name(name)

        def work(db: sqlite3.Connection) -> SavedSession:
            if name is not None:
                _require_free(db, name)
            chosen = name or next(one for one in numbered(name_of(dialogue)) if _is_free(db, one))
            return _inserted(db, chosen, model, dialogue, None)

        return self._file.write(work)

    def update(self, saved: SavedSession, dialogue: Dialogue, *, model: str, on_overflow: str | None) -> SavedSession:
        """Write what differs from ``saved``.

        Raises:
            SessionChangedError: another process has changed or removed the session.
        """

        def work(db: sqlite3.Connection) -> SavedSession:
            key = _row_of(db, saved)
            before, turns = saved.dialogue.turns, dialogue.turns
            same = next((n for n, pair in enumerate(zip(before, turns, strict=False)) if pair[0] != pair[1]),
                        min(len(before), len(turns)))  # fmt: skip
            _write_turns(db, key, dialogue, same)
            _describe(db, key, model, dialogue, on_overflow)
            db.execute("UPDATE sessions SET revision = revision + 1 WHERE id = ?", (key,))
            return _saved(db, key, dialogue)

        return self._file.write(work)

    def fork(self, saved: SavedSession, dialogue: Dialogue, *, model: str, on_overflow: str | None) -> SavedSession:
        """A copy of the session with another dialogue, called ``NAME-2``, then ``NAME-3``, …"""

        def work(db: sqlite3.Connection) -> SavedSession:
            names = numbered(saved.info.name)
            next(names)
            name = next(one for one in names if _is_free(db, one))
            return _inserted(db, name, model, dialogue, on_overflow)

        return self._file.write(work)

    def rename(self, name: str, new: str) -> SavedSession:
        """Give the session called ``name`` another name.

        Raises:
            NotFoundError: there is no such session.
            UsageError: the name is taken, or cannot be one.
        """
        checked_name(new)
        saved = self.get(name)

        def work(db: sqlite3.Connection) -> SavedSession:
            key = db.execute("SELECT id FROM sessions WHERE session_id = ?", (saved.info.session_id,)).fetchone()
            if key is None:
                raise NotFoundError(f"session {name!r} not found", "see all sessions: phi sessions list")
            if key_of(new) != key_of(saved.info.name):
                _require_free(db, new)
            db.execute("UPDATE sessions SET name = ?, name_key = ? WHERE id = ?", (new, key_of(new), key[0]))
            return _saved(db, key[0])

        return self._file.write(work)

    def remove(self, names: Sequence[str]) -> tuple[SessionInfo, ...]:
        """Remove sessions; all of them or none.

        Raises:
            NotFoundError: there is no session of a name.
        """
        infos = [self.get(name).info for name in names]

        def work(db: sqlite3.Connection) -> None:
            for info in infos:
                row = db.execute("SELECT id FROM sessions WHERE session_id = ?", (info.session_id,)).fetchone()
                if row is None:
                    raise NotFoundError(f"session {info.name!r} not found", "see all sessions: phi sessions list")
                _write_turns(db, row[0], Dialogue(), 0)
                db.execute("DELETE FROM sessions WHERE id = ?", (row[0],))

        self._file.write(work)
        return tuple(infos)

    def search(self, text: str, *, limit: int) -> tuple[Found, ...]:
        """Where ``text`` occurs in any case, the newest sessions first."""

        def work(db: sqlite3.Connection) -> tuple[Found, ...]:
            infos = {
                row[0]: SessionInfo(*row[1:])
                for row in db.execute(f"SELECT id, {_INFO} FROM sessions ORDER BY updated_at DESC, id DESC")  # noqa: S608
            }
            return found_in(db, text, infos, _TURN_BITS, limit)

        return self._file.read(work, ())


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_free(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sessions WHERE name_key = ?", (key_of(name),)).fetchone() is None


def _require_free(db: sqlite3.Connection, name: str) -> None:
    if not _is_free(db, name):
        raise UsageError(f"a session called {name} already exists", f"choose another name, e.g. {name}-2")


def _row_of(db: sqlite3.Connection, saved: SavedSession) -> int:
    query = "SELECT id FROM sessions WHERE session_id = ? AND revision = ?"
    row = db.execute(query, (saved.info.session_id, saved.revision)).fetchone()
    if row is None:
        raise SessionChangedError(f"the session {saved.info.name} was changed by another process")
    return int(row[0])


def _inserted(
    db: sqlite3.Connection, name: str, model: str, dialogue: Dialogue, on_overflow: str | None
) -> SavedSession:
    import secrets

    now = _iso(datetime.now(UTC))
    row = (secrets.token_hex(8), name, key_of(name), model, 0, "", now, now, 1, 0)
    columns = "session_id, name, name_key, model, turns, title, created_at, updated_at, revision, left_out"
    key = db.execute(f"INSERT INTO sessions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid  # noqa: S608
    assert key is not None  # noqa: S101 (a row was inserted)
    _write_turns(db, key, dialogue, 0)
    _describe(db, key, model, dialogue, on_overflow)
    return _saved(db, key, dialogue)


def _describe(db: sqlite3.Connection, key: int, model: str, dialogue: Dialogue, on_overflow: str | None) -> None:
    values = (
        model, len(dialogue.turns), title_of(dialogue), _iso(datetime.now(UTC)), dialogue.system, dialogue.left_out,
        dialogue.summary, on_overflow, key,
    )  # fmt: skip
    db.execute(
        "UPDATE sessions SET model = ?, turns = ?, title = ?, updated_at = ?, system = ?, left_out = ?, summary = ?, "
        "on_overflow = ? WHERE id = ?",
        values,
    )


def _write_turns(db: sqlite3.Connection, key: int, dialogue: Dialogue, same: int) -> None:
    """Write the turns behind the first ``same``, and remove all others that are there."""
    first, end = (key << _TURN_BITS) + same, (key + 1) << _TURN_BITS
    db.execute("DELETE FROM turns WHERE id >= ? AND id < ?", (first, end))
    remove_texts(db, first, end)
    for number, turn in enumerate(dialogue.turns[same:]):
        db.execute("INSERT INTO turns (id, data) VALUES (?, ?)", (first + number, to_text(turn)))
        save_texts(db, first + number, turn)


def _saved(db: sqlite3.Connection, key: int, dialogue: Dialogue | None = None) -> SavedSession:
    columns = f"{_INFO}, revision, system, left_out, summary, on_overflow"
    row = db.execute(f"SELECT {columns} FROM sessions WHERE id = ?", (key,)).fetchone()  # noqa: S608
    if dialogue is None:
        bounds = (key << _TURN_BITS, (key + 1) << _TURN_BITS)
        rows = db.execute("SELECT data FROM turns WHERE id >= ? AND id < ? ORDER BY id", bounds)
        dialogue = Dialogue(row[8], tuple(turn_of(data) for (data,) in rows), row[9], row[10])
    return SavedSession(SessionInfo(*row[:7]), row[7], dialogue, row[11])
