"""The rows of one session, read and written inside a transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.store.columns import INFO, storable, utc_text
from phicli.chat.store.data import to_text, turn_of
from phicli.chat.store.errors import SessionChangedError
from phicli.chat.store.form import FORM, TURN_BITS
from phicli.chat.store.names import key_of, title_of
from phicli.chat.store.texts import remove_texts, save_texts
from phicli.chat.store.types import SavedSession, SessionInfo
from phicli.errors import UsageError
from phicli.storage.sqlite_errors import unreadable


def is_free(db: sqlite3.Connection, name: str) -> bool:
    """Whether no session is called ``name``, in any case."""
    return db.execute("SELECT 1 FROM sessions WHERE name_key = ?", (key_of(name),)).fetchone() is None


def require_free(db: sqlite3.Connection, name: str) -> None:
    """Refuse a name that is taken.

    Raises:
        UsageError: a session has it.
    """
    if not is_free(db, name):
        raise UsageError(f"a session called {name} already exists", f"choose another name, e.g. {name}-2")


def row_with_id(db: sqlite3.Connection, session_id: str) -> int | None:
    """The number of the row of a session; None where it is gone."""
    row = db.execute("SELECT id FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    return None if row is None else int(row[0])


def unchanged_row(db: sqlite3.Connection, saved: SavedSession) -> int:
    """The number of the row of ``saved``.

    Raises:
        SessionChangedError: another process has changed or removed it.
    """
    query = "SELECT id FROM sessions WHERE session_id = ? AND revision = ?"
    row = db.execute(query, (saved.info.session_id, saved.revision)).fetchone()
    if row is None:
        raise SessionChangedError(
            f"another process has changed the session {saved.info.name}", f"see it: phi sessions show {saved.info.name}"
        )
    return int(row[0])


def insert(
    db: sqlite3.Connection, path: Path, name: str, model: str, dialogue: Dialogue, on_overflow: str | None, *,
    session_id: str | None = None,
) -> SavedSession:  # fmt: skip
    """A new session, with a fresh id where none is given."""
    now = utc_text(datetime.now(UTC))
    row = (session_id or secrets.token_hex(8), name, key_of(name), "", 0, "", now, now, 0, 0)
    columns = "session_id, name, name_key, model, turns, title, created_at, updated_at, revision, left_out"
    key = int(
        db.execute(f"INSERT INTO sessions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0  # noqa: S608
    )
    return rewrite(db, path, key, model, dialogue, on_overflow, same=0)


def rewrite(
    db: sqlite3.Connection, path: Path, key: int, model: str, dialogue: Dialogue, on_overflow: str | None, *, same: int
) -> SavedSession:
    """Write a session whose first ``same`` turns are saved already."""
    _write_turns(db, key, dialogue.turns, same)
    values = (
        storable(model), len(dialogue.turns), storable(title_of(dialogue)), utc_text(datetime.now(UTC)),
        storable(dialogue.system), dialogue.left_out, storable(dialogue.summary), on_overflow, key,
    )  # fmt: skip
    db.execute(
        "UPDATE sessions SET model = ?, turns = ?, title = ?, updated_at = ?, system = ?, left_out = ?, summary = ?, "
        "on_overflow = ?, revision = revision + 1 WHERE id = ?",
        values,
    )
    return session_in(db, path, key, dialogue)


def delete(db: sqlite3.Connection, key: int) -> None:
    """Remove a session with all that was said in it."""
    _write_turns(db, key, (), 0)
    db.execute("DELETE FROM sessions WHERE id = ?", (key,))


def session_in(db: sqlite3.Connection, path: Path, key: int, dialogue: Dialogue | None = None) -> SavedSession:
    """The session in the row ``key``; its dialogue is read where it is not known.

    Raises:
        IntegrityError: something in it cannot be read.
    """
    columns = f"{INFO}, revision, system, left_out, summary, on_overflow"
    row = db.execute(f"SELECT {columns} FROM sessions WHERE id = ?", (key,)).fetchone()  # noqa: S608
    if dialogue is None:
        dialogue = Dialogue(row[8], _turns(db, path, key, row), row[9], row[10])
    return SavedSession(SessionInfo(*row[:7]), row[7], dialogue, row[11])


def _turns(db: sqlite3.Connection, path: Path, key: int, row: Sequence[Any]) -> tuple[Turn, ...]:
    bounds = (key << TURN_BITS, (key + 1) << TURN_BITS)
    rows = db.execute("SELECT data FROM turns WHERE id >= ? AND id < ? ORDER BY id", bounds).fetchall()
    try:
        turns = tuple(turn_of(data) for (data,) in rows)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise unreadable(path, FORM, f"a turn of the session {row[1]} is damaged") from error
    if len(turns) != row[3]:
        raise unreadable(path, FORM, f"the session {row[1]} has {len(turns)} turns, but {row[3]} were saved")
    return turns


def _write_turns(db: sqlite3.Connection, key: int, turns: Sequence[Turn], same: int) -> None:
    """Write the turns behind the first ``same``, and remove all others that are there."""
    first, end = (key << TURN_BITS) + same, (key + 1) << TURN_BITS
    remove_texts(db, first, end)
    db.execute("DELETE FROM turns WHERE id >= ? AND id < ?", (first, end))
    for number, turn in enumerate(turns[same:]):
        db.execute("INSERT INTO turns (id, data) VALUES (?, ?)", (first + number, to_text(turn)))
        save_texts(db, first + number, turn)
