"""What goes wrong with the file of the history, in errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import sqlite3
import sys
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


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """What SQLite and the system say about the history at ``path``, in errors of ours.

    Raises:
        DoesNotFitError: the disk is full.
        IntegrityError: the file is damaged.
        PhiError: another process has it.
        UsageError: there is no home folder.
        OSError: it cannot be used for another reason, which it says.
    """
    try:
        yield
    except OSError as error:
        if NOWHERE in path.parents:
            raise UsageError("no home folder was found for the history", NO_HOME_HINT) from error
        if is_disk_full(error):
            raise disk_full(f"the history {path}") from error
        raise
    except sqlite3.Error as error:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            raise disk_full(f"the history {path}") from error
        if code in _BUSY:
            raise _taken(path) from error
        if code in _REFUSED:
            _require_readable(path)
            raise OSError(_REFUSED[code], f"the history cannot be used: {error}", str(path)) from error
        raise damaged(path, "it is damaged" if code in _DAMAGED else str(error)) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process has the file, so that it is worth while to try again."""
    return _code(error) in _BUSY


def damaged(path: Path, why: str) -> IntegrityError:
    """The history at ``path`` cannot be read."""
    hint = f"set it aside; the next run starts a new history: {_aside(path, 'damaged')}"
    return IntegrityError(f"the history {path} cannot be read: {why}", hint)


def newer(path: Path, version: int) -> IntegrityError:
    """The history at ``path`` was written by a later version of phi, in the form ``version``."""
    hint = f"upgrade phi, or set it aside: {_aside(path, 'newer')}"
    return IntegrityError(f"the history {path} was written by a newer phi (format {version})", hint)


def _taken(path: Path) -> PhiError:
    which = "" if sys.platform == "win32" else f"; to find it: lsof {shlex.quote(str(path))}"
    message = f"another process has locked the history {path} for too long"
    return PhiError(message, f"wait until it ends, or stop it, and run the command again{which}")


def _require_readable(path: Path) -> None:
    """What the system says is more exact than what SQLite says, where it refuses a file that is there.

    Raises:
        OSError: the file is there and cannot be read.
    """
    if path.exists():
        os.close(os.open(path, os.O_RDONLY))


def _aside(path: Path, what: str) -> str:
    """The command that renames the file, to a name that is free."""
    names = [f"{path}.{what}", *(f"{path}.{what}-{number}" for number in range(2, 100))]
    free = next((name for name in names if not os.path.lexists(name)), names[-1])
    return f"{'move' if sys.platform == 'win32' else 'mv'} {shlex.quote(str(path))} {shlex.quote(free)}"


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
