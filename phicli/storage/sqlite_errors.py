"""What goes wrong with a SQLite file of ours, in errors that say what to do."""

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
from phicli.storage.form import Form

_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_REFUSED: Final = {
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}


class DamagedError(IntegrityError):
    """The whole file is damaged, or it belongs to another program."""


@contextlib.contextmanager
def translated(path: Path, form: Form) -> Iterator[None]:
    """What SQLite and the system say about the file at ``path``, in errors of ours.

    Raises:
        DoesNotFitError: the disk is full.
        DamagedError: the file is damaged.
        IntegrityError: SQLite cannot use it for another reason, which it says.
        PhiError: another process has it.
        UsageError: there is no home folder.
        OSError: it cannot be used for another reason, which it says.
    """
    try:
        yield
    except OSError as error:
        if NOWHERE in path.parents:
            raise UsageError(f"no home folder was found for {form.name}", NO_HOME_HINT) from error
        if is_disk_full(error):
            raise disk_full(f"{form.name} {path}") from error
        raise
    except sqlite3.Error as error:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            raise disk_full(f"{form.name} {path}") from error
        if code in _BUSY:
            raise _taken(path, form) from error
        if code in _REFUSED:
            _require_readable(path)
            raise OSError(_REFUSED[code], f"{form.name} cannot be used: {error}", str(path)) from error
        if code in _DAMAGED:
            raise damaged(path, form, "it is damaged") from error
        raise unreadable(path, form, str(error)) from error


def is_busy(error: Exception) -> bool:
    """Whether another process has the file, or has just renamed it, so that it is worth while to try again."""
    return _code(error) in _BUSY or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED


def damaged(path: Path, form: Form, why: str) -> DamagedError:
    """Nothing in the file at ``path`` can be used."""
    return DamagedError(*_cannot_be_read(path, form, why))


def unreadable(path: Path, form: Form, why: str) -> IntegrityError:
    """A part of the file at ``path`` cannot be read."""
    return IntegrityError(*_cannot_be_read(path, form, why))


def newer(path: Path, form: Form, version: int) -> IntegrityError:
    """A later version of phi wrote the file at ``path``, in the format ``version``."""
    hint = f"upgrade phi, or set it aside: {_aside(path, 'newer')}"
    return IntegrityError(f"a newer phi wrote {form.name} {path} (format {version})", hint)


def free_name(path: Path, what: str) -> Path:
    """``path`` with ``.what`` at its end, and a number where that is taken."""
    names = [f"{path.name}.{what}", *(f"{path.name}.{what}-{number}" for number in range(2, 1000))]
    paths = [path.with_name(name) for name in names]
    return next((one for one in paths if not os.path.lexists(one)), paths[-1])


def _cannot_be_read(path: Path, form: Form, why: str) -> tuple[str, str]:
    hint = f"set it aside; {form.starts_anew}: {_aside(path, 'damaged')}"
    return f"{form.name} {path} cannot be read: {why}", hint


def _taken(path: Path, form: Form) -> PhiError:
    which = "" if sys.platform == "win32" else f"; to find it: lsof {shlex.quote(str(path))}"
    message = f"another process has locked {form.name} {path} for too long"
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
    move = "move" if sys.platform == "win32" else "mv"
    return f"{move} {shlex.quote(str(path))} {shlex.quote(str(free_name(path, what)))}"


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
