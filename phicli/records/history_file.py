"""The SQLite file of the history: opened, waited for while another process has it, and checked for its version.

The journal is SQLite's own default, a rollback journal, and not a write-ahead log: that one needs shared memory beside
the file, so it cannot be read in a folder that is read-only, does not work over network file systems, and a copy of
the one file would lack what is still in the log. What it would give, readers beside a writer, nobody needs here: a
benchmark writes one row in minutes. Two processes that write at once wait for each other.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from phicli.records.history_errors import damaged, is_busy, newer, translated

_SCHEMA: Final = 1
_TABLE: Final = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, made_at TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, quant TEXT,
    engine TEXT NOT NULL, build TEXT NOT NULL, cpu TEXT NOT NULL, data TEXT NOT NULL
)
"""
_WAIT_S: Final = 10.0
_PAUSE_S: Final = 0.05
_Found = TypeVar("_Found")


class HistoryFile:
    """The file at ``path``; it and its folder are made when something is written for the first time.

    Args:
        path: the SQLite file.
        wait_s: for how long another process that has the file is waited for, by default 10 seconds; but only once:
            where that was in vain, what comes after does not wait.
    """

    def __init__(self, path: Path, wait_s: float | None = None) -> None:
        self.path = path
        self._wait_s = _WAIT_S if wait_s is None else wait_s

    def read(self, work: Callable[[sqlite3.Connection], _Found], nothing: _Found) -> _Found:
        """What ``work`` makes of the table; ``nothing`` where there is no file, or an empty one.

        Raises:
            IntegrityError: the file is damaged, or no history of this version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be read.
        """

        def reading() -> _Found:
            with contextlib.closing(self._connect("rw")) as connection:
                return work(connection) if self._has_table(connection) else nothing

        with translated(self.path):
            return self._patiently(reading) if self._is_there() else nothing

    def write(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """What ``work`` returns after it changed the table; all of its changes are kept or none.

        Raises:
            DoesNotFitError: the disk is full.
            IntegrityError: the file is damaged, or no history of this version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be written.
        """

        def writing() -> _Found:
            with contextlib.closing(self._connect("rwc")) as connection, _transaction(connection):
                if not self._has_table(connection):
                    connection.execute(_TABLE)
                    connection.execute(f"PRAGMA user_version = {_SCHEMA}")
                return work(connection)

        with translated(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self._patiently(writing)

    def _is_there(self) -> bool:
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        return True

    def _patiently(self, work: Callable[[], _Found]) -> _Found:
        """What comes of ``work``, tried again while another process has the file.

        SQLite could wait by itself, but not be interrupted meanwhile.
        """
        ends_at = time.monotonic() + self._wait_s
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

    def _connect(self, mode: str) -> sqlite3.Connection:
        if self.path.exists() and not self.path.is_file():
            raise damaged(self.path, "it is not a regular file")
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
            raise damaged(self.path, "it is a database of another program")
        return version == _SCHEMA


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
