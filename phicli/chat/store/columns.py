"""What the columns of a session hold. A list of sessions needs nothing else, and so loads little."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Final, overload

from phicli.chat.store.types import SessionInfo

INFO: Final = "session_id, name, model, turns, title, created_at, updated_at"
"""The columns of a :class:`SessionInfo`."""


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    """``text`` as a column can have it: half of a surrogate pair, as in names of files, is replaced."""
    return None if text is None else text.encode(errors="replace").decode()


def utc_text(time: datetime) -> str:
    """``time`` as it is saved: ISO 8601, UTC, in milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def info_in(db: sqlite3.Connection, key: int) -> SessionInfo:
    """What the row ``key`` says about its session."""
    return SessionInfo(*db.execute(f"SELECT {INFO} FROM sessions WHERE id = ?", (key,)).fetchone())  # noqa: S608
