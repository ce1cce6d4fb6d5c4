"""Full text search over what was said."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phicli.chat.dialogue import Turn
from phicli.chat.store.types import SessionInfo

_ROLES: Final = ("user", "assistant")
_TRIGRAM: Final = 3
_BEFORE, _AFTER = 40, 80


@dataclass(frozen=True, slots=True)
class Found:
    """A place where a text was said: ``turn`` 1 is the first; the match in ``excerpt`` stands between two marks."""

    info: SessionInfo
    turn: int
    role: str
    excerpt: str


def save_texts(db: sqlite3.Connection, turn_id: int, turn: Turn) -> None:
    """Make the question and the answer of a turn searchable."""
    question = "\n".join([turn.question, *(f"{one.name}\n{one.text}" for one in turn.attachments)])
    answer = "\n".join(message.content for message in turn.replies)
    for number, text in enumerate((question, answer)):
        if text.strip():
            clean = text.encode("utf-8", errors="replace").decode().replace("\0", " ")
            db.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (2 * turn_id + number, clean))


def remove_texts(db: sqlite3.Connection, first: int, end: int) -> None:
    """Remove the texts of the turns from ``first`` up to ``end``."""
    db.execute("DELETE FROM texts WHERE rowid >= ? AND rowid < ?", (2 * first, 2 * end))


def found_in(
    db: sqlite3.Connection, text: str, infos: Mapping[int, SessionInfo], turn_bits: int, limit: int
) -> tuple[Found, ...]:
    """Where ``text`` was said, in the order of ``infos``, which has the sessions by the ids of their rows."""
    if len(text) >= _TRIGRAM:
        phrase = '"' + text.replace('"', '""').replace("\0", " ") + '"'  # a phrase: nothing in it is syntax
        rows = db.execute("SELECT rowid, text FROM texts WHERE texts MATCH ?", (phrase,)).fetchall()
    else:
        escaped = re.sub(r"([\\%_])", r"\\\1", text)
        rows = db.execute("SELECT rowid, text FROM texts WHERE text LIKE ? ESCAPE '\\'", (f"%{escaped}%",)).fetchall()
    order = {key: number for number, key in enumerate(infos)}
    places = [(order[row >> turn_bits + 1], row, said) for row, said in rows if row >> turn_bits + 1 in order]
    places.sort(key=lambda place: place[:2])
    return tuple(_found(row, said, text, infos, turn_bits) for _, row, said in places[:limit])


def _found(row: int, said: str, text: str, infos: Mapping[int, SessionInfo], turn_bits: int) -> Found:
    number = (row >> 1) & ((1 << turn_bits) - 1)
    return Found(infos[row >> turn_bits + 1], number + 1, _ROLES[row & 1], _excerpt(said, text))


def _excerpt(said: str, text: str) -> str:
    """The words around the first match, which stands between the marks."""
    match = re.search(re.escape(text), said, re.IGNORECASE)
    if match is None:  # another folding of case than SQLite's
        return said[: _BEFORE + _AFTER]
    begin, end = match.span()
    before = ("…" if begin > _BEFORE else "") + said[max(begin - _BEFORE, 0) : begin]
    after = said[end : end + _AFTER] + ("…" if end + _AFTER < len(said) else "")
    return f"{before}\x02{match[0]}\x03{after}"
