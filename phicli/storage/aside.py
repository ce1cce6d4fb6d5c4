"""Setting a damaged SQLite file aside: renamed with its companions, and nothing is deleted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from phicli.storage.form import Form
from phicli.storage.sqlite_errors import DamagedError, free_name
from phicli.storage.sqlite_file import Identity, SqliteFile, identity_of

_COMPANIONS: Final = ("-journal", "-wal", "-shm")
_Found = TypeVar("_Found")


class LastingFile:
    """A SQLite file that is renamed and made again where it is damaged, with a notice.

    Args:
        path: the SQLite file.
        form: what kind of file it is.
        wait_s: as for :class:`SqliteFile`.
        on_notice: called with a sentence where the file was set aside.
    """

    def __init__(self, path: Path, form: Form, wait_s: float | None, on_notice: Callable[[str], None]) -> None:
        self.path = path
        self.form = form
        self._file = SqliteFile(path, form, wait_s)
        self._on_notice = on_notice

    def read(self, work: Callable[[sqlite3.Connection], _Found], nothing: _Found) -> _Found:
        """As :meth:`SqliteFile.read`; a damaged file is set aside. Raises DamagedError where it cannot be renamed."""
        return self._sound(lambda: self._file.read(work, nothing))

    def write(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """As :meth:`SqliteFile.write`; a damaged file is set aside. Raises DamagedError where it cannot be renamed."""
        return self._sound(lambda: self._file.write(work))

    def compact(self, *statements: str) -> None:
        """As :meth:`SqliteFile.compact`."""
        self._file.compact(*statements)

    def _sound(self, work: Callable[[], _Found]) -> _Found:
        identity = identity_of(self.path)
        try:
            return work()
        except DamagedError as error:
            try:
                aside = set_aside(self.path, identity)
            except OSError:
                raise error from None
            if aside is not None:
                self._on_notice(f"{error.message}; it was renamed to {aside.name}, and a new file is used")
        return work()


def set_aside(path: Path, identity: Identity) -> Path | None:
    """Rename the damaged file and its companions; None where another process has done it already.

    Raises:
        OSError: it cannot be renamed.
    """
    with _alone(path):
        if identity is None or identity_of(path) != identity:
            return None
        free = free_name(path, "damaged")
        for companion in _COMPANIONS:  # before the file: afterwards they could be those of a new file
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{companion}").rename(f"{free}{companion}")
        path.rename(free)
        return free


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out for the same file: the second one would rename the new file of the first one."""
    if sys.platform == "win32":  # Windows renames no file that another process has open
        yield
        return
    import fcntl

    handle = os.open(path.parent, os.O_RDONLY)  # not the file: to close it would end the locks of other threads
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
