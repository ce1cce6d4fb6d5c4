"""What was measured here, kept in one SQLite file under the data folder.

The journal is SQLite's own default, a rollback journal, and not a write-ahead log: that one needs shared memory beside
the file, so it cannot be read in a folder that is read-only, does not work over network file systems, and a copy of
the one file would lack what is still in the log. What it would give, readers beside a writer, nobody needs here: a
benchmark writes one row in minutes. Two processes that write at once wait for each other.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from phicli.errors import NotFoundError, PhiError, UsageError, reason_of
from phicli.paths import data_dir
from phicli.records.history_errors import damaged, is_busy, newer, translated
from phicli.records.run import Run
from phicli.records.run_ids import new_run_id, now

__all__ = ["KINDS", "LAST", "Entry", "History", "entry_of", "kind_of", "new_run_id", "now"]

KINDS: Final = ("run", "endpoint", "quality", "tune", "eval")
"""What an entry can be."""

LAST: Final = "last"
"""The word for the newest entry; no run has it as its id."""

_SCHEMA: Final = 1
_TABLE: Final = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, made_at TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, quant TEXT,
    engine TEXT NOT NULL, build TEXT NOT NULL, cpu TEXT NOT NULL, data TEXT NOT NULL
)
"""
_COLUMNS: Final = "run_id, made_at, kind, model, quant, engine, build, cpu, data"
_WAIT_S: Final = 10.0
_PAUSE_S: Final = 0.05
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was measured: what it is found by, and ``data``, all of it as ``--json`` has it.

    ``made_at`` is ISO 8601, UTC. ``kind`` is one of :data:`KINDS`. For ``run``, ``data`` is that of
    :meth:`phicli.records.run.Run.to_data`.
    """

    run_id: str
    made_at: str
    kind: str
    model: str
    quant: str | None
    engine: str
    build: str
    cpu: str
    data: Mapping[str, Any]

    def to_data(self) -> dict[str, Any]:
        """As ``phi runs export`` has it."""
        return {
            "run_id": self.run_id, "made_at": self.made_at, "kind": self.kind, "model": self.model,
            "quant": self.quant, "engine": self.engine, "build": self.build, "cpu": self.cpu, "data": dict(self.data),
        }  # fmt: skip


class History:
    """The entries that were kept.

    Args:
        path: the SQLite file, by default ``runs.sqlite`` under the data folder. It and its folder are made with the
            first entry; until then there are no entries.
        wait_s: for how long another process that has the file is waited for, by default 10 seconds; but only once:
            where that was in vain, what comes after does not wait.
    """

    def __init__(self, path: Path | None = None, *, wait_s: float | None = None) -> None:
        self.path = data_dir() / "runs.sqlite" if path is None else path
        self._wait_s = wait_s

    def add(self, entry: Entry) -> None:
        """Keep ``entry``, in place of one of the same id; all of it is kept or nothing.

        Raises:
            DoesNotFitError: the disk is full.
            IntegrityError: the file is damaged, or no history of this version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be written.
            ValueError: ``entry.data`` cannot be JSON: a NaN, or an object of another kind.
        """
        data = json.dumps(dict(entry.data), allow_nan=False)
        about = (entry.run_id, entry.made_at, entry.kind, entry.model, entry.quant)
        row = [text and _storable(text) for text in (*about, entry.engine, entry.build, entry.cpu)]

        def insert() -> None:
            with contextlib.closing(self._connect("rwc")) as connection, _transaction(connection):
                if not self._has_table(connection):
                    connection.execute(_TABLE)
                    connection.execute(f"PRAGMA user_version = {_SCHEMA}")
                places = ", ".join("?" * (len(row) + 1))
                connection.execute(f"INSERT OR REPLACE INTO runs ({_COLUMNS}) VALUES ({places})", (*row, data))  # noqa: S608

        with translated(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._patiently(insert)

    def try_add(self, entry: Entry) -> str | None:
        """Keep ``entry``; where that is impossible, the sentence to warn with, for what was measured is not lost."""
        try:
            self.add(entry)
        except PhiError as error:
            return f"the run was not kept: {error.message}" + (f" ({error.hint})" if error.hint else "")
        except OSError as error:
            return f"the run was not kept: {reason_of(error)}: {error.filename or self.path}"
        except ValueError as error:
            return f"the run was not kept: {error}"
        return None

    def get(self, prefix: str) -> Entry:
        """The entry whose id begins with ``prefix`` (in any case), or the newest one for ``last``.

        Raises:
            NotFoundError: there is none.
            UsageError: there are several; the message names some.
            IntegrityError, OSError: as for :meth:`entries`.
        """
        wanted = _storable(prefix.strip().lower())
        if wanted == LAST:
            found = self.entries(limit=1)
        else:
            found = (
                self._select("WHERE lower(substr(run_id, 1, ?)) = lower(?)", (len(wanted), wanted)) if wanted else ()
            )
            found = tuple(one for one in found if one.run_id.lower() == wanted) or found
        if not found:
            what = "no run was kept yet" if wanted == LAST else f"no run that was kept has an id beginning {prefix!r}"
            raise NotFoundError(what, "phi bench makes one" if wanted == LAST else "see their ids: phi runs list")
        if len(found) > 1:
            some = ", ".join(one.run_id for one in found[:4]) + (", …" if len(found) > 4 else "")
            raise UsageError(f"{len(found)} runs have ids beginning {prefix!r}: {some}", "type more of the id")
        return found[0]

    def entries(
        self, *, kind: str | None = None, model: str | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """Those of ``kind`` and ``model`` (in any case, with or without quant), the newest first, at most ``limit``.

        Without a file, and in one that is empty, there are none.

        Raises:
            IntegrityError: the file is damaged, or no history of this version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be read.
        """
        tests: list[str] = []
        values: list[Any] = []
        if kind is not None:
            tests.append("kind = ?")
            values.append(kind)
        if model is not None:
            tests.append("lower(model) = lower(?) OR lower(model || ':' || coalesce(quant, '')) = lower(?)")
            values += [_storable(model)] * 2
        where = "WHERE " + " AND ".join(f"({test})" for test in tests) if tests else ""
        return self._select(where, values, limit)

    def _select(self, where: str, values: Any, limit: int | None = None) -> tuple[Entry, ...]:
        def select() -> list[tuple[Any, ...]]:
            with contextlib.closing(self._connect("rw")) as connection:
                if not self._has_table(connection):
                    return []
                text = f"SELECT {_COLUMNS} FROM runs {where} ORDER BY made_at DESC, run_id DESC LIMIT ?"  # noqa: S608
                return connection.execute(text, (*values, -1 if limit is None else limit)).fetchall()

        with translated(self.path):
            try:
                self.path.stat()
            except FileNotFoundError:
                return ()
            rows = self._patiently(select)
        return tuple(self._entry(row) for row in rows)

    def _patiently(self, work: Callable[[], _Found]) -> _Found:
        """What comes of ``work``, tried again while another process has the file.

        SQLite could wait by itself, but not be interrupted meanwhile.
        """
        ends_at = time.monotonic() + (_WAIT_S if self._wait_s is None else self._wait_s)
        while True:
            try:
                return work()
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise
                if time.monotonic() >= ends_at:
                    self._wait_s = 0.0
                    raise
            time.sleep(_PAUSE_S)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        try:
            data = json.loads(row[-1])
        except (ValueError, TypeError, RecursionError):
            data = None
        if not isinstance(data, dict) or not all(isinstance(one, str) for one in row if one is not None):
            raise damaged(self.path, f"what it has of run {row[0]} cannot be read")
        run_id, made_at, kind, model, quant, engine, build, cpu = row[:-1]
        return Entry(run_id, made_at, kind, model, quant, engine, build, cpu, data)

    def _connect(self, mode: str) -> sqlite3.Connection:
        if self.path.exists() and not self.path.is_file():
            raise damaged(self.path, "it is no regular file")
        # SQLite itself falls back to reading where the file is write-protected.
        where = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(where, uri=True, timeout=_PAUSE_S, isolation_level=None)

    def _has_table(self, connection: sqlite3.Connection) -> bool:
        """False for a file that was never written to.

        Raises:
            IntegrityError: it is a history of a newer version, or a database of something else.
        """
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version > _SCHEMA and "runs" in tables:
            raise newer(self.path, version)
        if (version, "runs" in tables) not in ((0, False), (_SCHEMA, True)) or (version == 0 and tables):
            raise damaged(self.path, "it is a database of something else")
        return version == _SCHEMA


def _storable(text: str) -> str:
    """``text`` as it is kept: names of files can be no text."""
    return text.encode(errors="replace").decode()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done inside is done, or nothing; another writer is waited for."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # on a full disk SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


def kind_of(word: str | None) -> str | None:
    """One of :data:`KINDS` as somebody typed it, in any case; None for None.

    Raises:
        UsageError: there is no such kind.
    """
    if word is not None and word.lower() not in KINDS:
        raise UsageError(f"--kind {word} is unknown", f"there is {', '.join(KINDS)}")
    return None if word is None else word.lower()


def entry_of(run: Run) -> Entry:
    """``run`` as the history keeps it."""
    about = run.subject
    cpu = str(run.hardware.get("cpu") or "")
    data = run.to_data()
    return Entry(run.run_id, run.made_at, "run", about.model, about.quant, about.engine, about.build, cpu, data)
