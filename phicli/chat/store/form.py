"""The tables of ``sessions.sqlite``.

To change them, add a step to :data:`FORM`: the statements that make the new format of the one before. Steps that were
released are never changed.
"""

from __future__ import annotations

from typing import Final

from phicli.storage.form import Form

_STEP_1: Final = (
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, name_key TEXT NOT NULL UNIQUE,
        model TEXT NOT NULL, turns INTEGER NOT NULL, title TEXT NOT NULL, created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL, revision INTEGER NOT NULL, system TEXT, left_out INTEGER NOT NULL, summary TEXT,
        on_overflow TEXT
    )
    """,
    "CREATE INDEX newest ON sessions (updated_at)",
    "CREATE TABLE turns (id INTEGER PRIMARY KEY, data TEXT NOT NULL)",
    "CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize = 'trigram')",
)
FORM: Final = Form("the sessions", "a new file is used from then on", "sessions", (_STEP_1,), private=True)
"""The file of the sessions."""

TURN_BITS: Final = 20
"""The id of a turn is that of its session, shifted by these bits, and its number; that of a text is twice the id of its
turn for the question, and one more for the answer."""
