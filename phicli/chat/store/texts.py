"""Full text search over what was said."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phicli.chat.store.columns import storable
from phicli.chat.store.form import TURN_BITS
from phicli.chat.store.types import SessionInfo

if TYPE_CHECKING:
    from phicli.chat.dialogue import Turn

_ROLES: Final = ("user", "assistant")
_TRIGRAM: Final = 3
TIDY: Final = "INSERT INTO texts (texts) VALUES ('optimize')"
"""Removes the words of removed texts from the index, which otherwise keeps them until it is merged."""
_BEFORE, _AFTER = 40, 80


@dataclass(frozen=True, slots=True)
class Found:
    """A place where a text was said: ``turn`` 1 is the first; the match in ``excerpt`` stands between two marks."""

    info: SessionInfo
    turn: int
    role: str
    excerpt: str


def searchable(text: str) -> str:
    """``text`` as the index has it, which ends at a NUL."""
    return storable(text).replace("\0", " ")


def save_texts(db: sqlite3.Connection, turn_id: int, turn: Turn) -> None:
    """Make the question and the answer of a turn searchable."""
    question = "\n".join([turn.question, *(f"{one.name}\n{one.text}" for one in turn.attachments)])
    answer = "\n".join(message.content for message in turn.replies)
    for number, text in enumerate((question, answer)):
        if text.strip():
            db.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (2 * turn_id + number, searchable(text)))


def remove_texts(db: sqlite3.Connection, first: int, end: int) -> None:
    """Remove the texts of the turns from ``first`` up to ``end``."""
    db.execute("DELETE FROM texts WHERE rowid >= ? AND rowid < ?", (2 * first, 2 * end))


def found_in(db: sqlite3.Connection, text: str, infos: Mapping[int, SessionInfo], limit: int) -> tuple[Found, ...]:
    """Where ``text`` was said, in the order of ``infos``, which has the sessions by the ids of their rows."""
    order = {key: number for number, key in enumerate(infos)}
    rows = [row for row in _rows(db, text) if row >> TURN_BITS + 1 in order]
    rows.sort(key=lambda row: (order[row >> TURN_BITS + 1], row))
    return tuple(_found(db, row, text, infos[row >> TURN_BITS + 1]) for row in rows[:limit])


def _rows(db: sqlite3.Connection, text: str) -> Iterator[int]:
    """The ids of the texts that have ``text``, in any case."""
    if len(text) >= _TRIGRAM:
        phrase = '"' + text.replace('"', '""') + '"'  # a phrase: nothing in it is syntax
        rows = db.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (phrase,))
    else:  # the index has no parts that are shorter
        db.create_function("has", 2, lambda said, part: part in said.casefold(), deterministic=True)
        rows = db.execute("SELECT rowid FROM texts WHERE has(text, ?)", (text.casefold(),))
    return (row for (row,) in rows)


def _found(db: sqlite3.Connection, row: int, text: str, info: SessionInfo) -> Found:
    (said,) = db.execute("SELECT text FROM texts WHERE rowid = ?", (row,)).fetchone()
    number = (row >> 1) & ((1 << TURN_BITS) - 1)
    return Found(info, number + 1, _ROLES[row & 1], _excerpt(said, text))


def _excerpt(said: str, text: str) -> str:
    """The words around the first match, which stands between the marks."""
    match = re.search(re.escape(text), said, re.IGNORECASE)
    if match is None:  # another folding of case than SQLite's
        return said[: _BEFORE + _AFTER]
    begin, end = match.span()
    before = ("…" if begin > _BEFORE else "") + said[max(begin - _BEFORE, 0) : begin]
    after = said[end : end + _AFTER] + ("…" if end + _AFTER < len(said) else "")
    return f"{before}\x02{match[0]}\x03{after}"
