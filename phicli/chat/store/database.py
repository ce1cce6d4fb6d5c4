"""The SQLite file of the sessions: made, opened, waited for, checked for its version, and set aside where damaged.

The journal is SQLite's own default: a write-ahead log cannot be read in a folder that is read-only, and a copy of the
one file would lack what is still in the log.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from phicli.chat.store.errors import DamagedError, is_busy, newer, translated

_FORMAT: Final = 1
_SCHEMA: Final = (
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
_COMPANIONS: Final = ("-journal", "-wal", "-shm")
_WAIT_S: Final = 10.0
_PAUSE_S: Final = 0.05
_Found = TypeVar("_Found")
Work = Callable[[sqlite3.Connection], _Found]


class SessionFile:
    """The file at ``path``, readable for its owner only.

    Args:
        path: the SQLite file; it and its folder are made when something is saved for the first time.
        wait_s: for how long another process that has the file is waited for, by default 10 seconds.
        on_notice: called with a sentence where a damaged file was set aside.
    """

    def __init__(self, path: Path, wait_s: float | None, on_notice: Callable[[str], None]) -> None:
        self.path = path
        self._wait_s = _WAIT_S if wait_s is None else wait_s
        self._on_notice = on_notice

    def read(self, work: Work[_Found], nothing: _Found) -> _Found:
        """What ``work`` makes of the tables; ``nothing`` where there is no file.

        Raises:
            IntegrityError: the file is of a newer version.
            PhiError: another process had it for too long.
            OSError: it cannot be read.
        """

        def reading() -> _Found:
            with contextlib.closing(self._connect("rw")) as connection:
                return work(connection) if self._is_ready(connection) else nothing

        return self._sound(lambda: self._patiently(reading) if self.path.exists() else nothing)

    def write(self, work: Work[_Found]) -> _Found:
        """What ``work`` returns after it changed the tables; all of its changes are saved or none.

        Raises:
            DoesNotFitError: the disk is full.
            IntegrityError: the file is of a newer version.
            PhiError: another process had it for too long.
            OSError: it cannot be written.
        """

        def writing() -> _Found:
            with contextlib.closing(self._connect("rw")) as connection, _transaction(connection):
                if not self._is_ready(connection):
                    for statement in _SCHEMA:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {_FORMAT}")
                return work(connection)

        def made() -> _Found:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            return self._patiently(writing)

        return self._sound(made)

    def _sound(self, work: Callable[[], _Found]) -> _Found:
        """What comes of ``work``; a damaged file is set aside first."""
        try:
            with translated(self.path):
                return work()
        except DamagedError as error:
            with translated(self.path):
                aside = self._set_aside()
            self._on_notice(f"{error.message}; it was renamed to {aside.name}, and a new file is used")
        with translated(self.path):
            return work()

    def _set_aside(self) -> Path:
        names = ["damaged", *(f"damaged-{number}" for number in range(2, 1000))]
        paths = [self.path.with_name(f"{self.path.name}.{name}") for name in names]
        free = next(path for path in paths if not os.path.lexists(path))
        self.path.rename(free)
        for companion in _COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{companion}").rename(f"{free}{companion}")
        return free

    def _patiently(self, work: Callable[[], _Found]) -> _Found:
        """What comes of ``work``, tried again while another process has the file."""
        ends_at = time.monotonic() + self._wait_s
        while True:
            try:
                return work()
            except sqlite3.Error as error:
                if not is_busy(error) or time.monotonic() >= ends_at:
                    raise
            time.sleep(_PAUSE_S)

    def _connect(self, mode: str) -> sqlite3.Connection:
        where = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(where, uri=True, timeout=_PAUSE_S, isolation_level=None)

    def _is_ready(self, connection: sqlite3.Connection) -> bool:
        """False for a file that was never written to."""
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version > _FORMAT and "sessions" in tables:
            raise newer(self.path, version)
        if tables and (version != _FORMAT or "sessions" not in tables):
            raise DamagedError(f"the sessions {self.path} cannot be read: it is a database of another program")
        return bool(tables)


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
