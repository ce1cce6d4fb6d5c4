"""A SQLite file: opened, waited for while another process has it, checked for its version, and migrated.

The journal is SQLite's own default, a rollback journal, and not a write-ahead log: that one needs shared memory beside
the file, so it cannot be read in a folder that is read-only, does not work over network file systems, and a copy of
the one file would lack what is still in the log. What it would give, readers beside a writer, nobody needs here: what
is written takes milliseconds. Two processes that write at once wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from phicli.errors import PhiError
from phicli.storage.form import Form
from phicli.storage.sqlite_errors import damaged, is_busy, newer, translated

_WAIT_S: Final = 10.0
_PAUSE_S: Final = 0.05
_PAGES: Final = ("freelist_count", "page_count")
_MUCH: Final = 4
"""One page in so many is much."""
_Found = TypeVar("_Found")


Identity = tuple[int, int] | None


def identity_of(path: Path) -> Identity:
    """Which file is at ``path``: its device and number; None for none."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


class SqliteFile:
    """The file at ``path``; it and its folder are made when something is written for the first time.

    Args:
        path: the SQLite file.
        form: what kind of file it is.
        wait_s: for how long another process that has the file is waited for, by default 10 seconds; but only once:
            where that was in vain, what comes after does not wait.
    """

    def __init__(self, path: Path, form: Form, wait_s: float | None = None) -> None:
        self.path = path
        self.form = form
        self._wait_s = _WAIT_S if wait_s is None else wait_s

    def read(self, work: Callable[[sqlite3.Connection], _Found], nothing: _Found) -> _Found:
        """What ``work`` makes of the tables; ``nothing`` where the file does not exist or is empty.

        A file in an older format is migrated first.

        Raises:
            DamagedError: the file is damaged, or belongs to another program.
            IntegrityError: it is of a newer version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be read.
        """

        def reading() -> _Found:
            if not self._is_there():
                return nothing
            with contextlib.closing(self._connect("rw")) as connection:
                if (version := self._version(connection)) == 0:
                    return nothing
                if version < self.form.version:
                    with _transaction(connection):
                        self._migrate(connection)
                return work(connection)

        with translated(self.path, self.form):
            return self._patiently(reading)

    def write(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """What ``work`` returns after it changed the tables; all of its changes are saved or none.

        Raises:
            DoesNotFitError: the disk is full.
            DamagedError, IntegrityError, PhiError: as for :meth:`read`.
            OSError: it cannot be written.
        """

        def writing() -> _Found:
            self._make_folder()
            mode = "rw" if self.form.private else "rwc"
            with contextlib.closing(self._connect(mode)) as connection:
                if self.form.private:
                    connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten
                with _transaction(connection):
                    self._migrate(connection)
                    return work(connection)

        with translated(self.path, self.form):
            return self._patiently(writing)

    def compact(self, *statements: str) -> None:
        """Run ``statements``, each for itself, and give the space of removed rows back where it is much.

        Nothing is raised where it fails, as on a full disk: the space is used again later.
        """

        def compacting() -> None:
            with contextlib.closing(self._connect("rw")) as connection:
                connection.execute("PRAGMA secure_delete = ON")
                for statement in statements:
                    connection.execute(statement)
                free, pages = (connection.execute(f"PRAGMA {of}").fetchone()[0] for of in _PAGES)
                if free * _MUCH > pages:
                    connection.execute("VACUUM")

        with contextlib.suppress(PhiError, OSError), translated(self.path, self.form):
            self._patiently(compacting)

    def _make_folder(self) -> None:
        """The folder of the file; a private file is made in it too: SQLite gives its journal the same permissions."""
        if not self.form.private:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.exists() and not self.path.is_file():
            raise damaged(self.path, self.form, "it is not a regular file")
        if self._is_there():  # it is not opened: to close it would end the locks that other threads have on it
            if os.name == "posix" and stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                with contextlib.suppress(PermissionError):  # another user's
                    self.path.chmod(0o600)
            return
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

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
            before = identity_of(self.path)
            try:
                return work()
            except (sqlite3.Error, FileNotFoundError) as error:
                if not is_busy(error) and not self._was_exchanged(before):
                    raise
                if time.monotonic() >= ends_at:
                    self._wait_s = 0.0
                    raise
            time.sleep(_PAUSE_S)

    def _was_exchanged(self, before: Identity) -> bool:
        """Whether the file is another one than ``before``: someone has set that one aside, or begun a new one."""
        return self.form.private and identity_of(self.path) != before

    def _connect(self, mode: str) -> sqlite3.Connection:
        if self.path.exists() and not self.path.is_file():
            raise damaged(self.path, self.form, "it is not a regular file")
        # SQLite itself falls back to reading where the file is write-protected.
        where = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(where, uri=True, timeout=_PAUSE_S, isolation_level=None)

    def _version(self, connection: sqlite3.Connection) -> int:
        """The format of the file; 0 for a file that was never written to.

        Raises:
            IntegrityError: it is of a newer version, or a database of something else.
        """
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version > self.form.version and self.form.table in tables:
            raise newer(self.path, self.form, version)
        if (version == 0 and not tables) or (1 <= version <= self.form.version and self.form.table in tables):
            return version
        raise damaged(self.path, self.form, "it is a database of another program")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the tables to the newest format, inside the transaction that is open."""
        version = self._version(connection)
        for statements in self.form.steps[version:]:
            for statement in statements:
                connection.execute(statement)
        if version < self.form.version:
            connection.execute(f"PRAGMA user_version = {self.form.version}")


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
