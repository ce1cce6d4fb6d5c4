"""What goes wrong with the saved sessions, in errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from phicli.errors import IntegrityError, PhiError, UsageError, disk_full, is_disk_full
from phicli.paths import NO_HOME_HINT, NOWHERE

_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_REFUSED: Final = {
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}


class SessionChangedError(PhiError):
    """Another process has changed or removed the session since it was read."""

    code = "session_changed"


class DamagedError(IntegrityError):
    """The file of the sessions cannot be read as one."""


def newer(path: Path, version: int) -> IntegrityError:
    """The sessions at ``path`` were written by a later version of phi, in the form ``version``."""
    return IntegrityError(
        f"the sessions {path} were written by a newer phi (format {version})",
        "upgrade phi, or set PHI_HOME to another folder",
    )


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process has the file, so that it is worth while to try again."""
    return _code(error) in _BUSY


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """What SQLite and the system say about the sessions at ``path``, in errors of ours.

    Raises:
        DoesNotFitError: the disk is full.
        DamagedError: the file is damaged.
        PhiError: another process has it.
        UsageError: there is no home folder.
        OSError: it cannot be used for another reason, which it says.
    """
    try:
        yield
    except OSError as error:
        if NOWHERE in path.parents:
            raise UsageError("no home folder was found for the sessions", NO_HOME_HINT) from error
        if is_disk_full(error):
            raise disk_full(f"the sessions {path}") from error
        raise
    except sqlite3.Error as error:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            raise disk_full(f"the sessions {path}") from error
        if code in _BUSY:
            raise PhiError(
                f"another process has locked the sessions {path} for too long",
                "wait until it ends, or stop it, and run the command again",
            ) from error
        if code in _REFUSED:
            raise OSError(_REFUSED[code], f"the sessions cannot be used: {error}", str(path)) from error
        why = "it is damaged" if code in _DAMAGED else str(error)
        raise DamagedError(f"the sessions {path} cannot be read: {why}", "set the file aside") from error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
