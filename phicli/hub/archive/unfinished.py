"""Files and folders that are not finished yet, and how those that a killed process left behind are known.

An archive that is being written is locked by whoever writes it, and a folder that takes in a model is made under the
lock of the folder it is in. A lock ends with its process, however that ends; what nobody has locked is a leftover.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from phicli.hub.types import Progress, silent

_LOCK: Final = ".lock"
_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Partial:
    """An open file that nobody else has, and where it is until it is finished."""

    file: BinaryIO
    path: Path


@contextlib.contextmanager
def partial_of(target: Path) -> Iterator[Partial]:
    """A new file beside ``target``, to be moved there; it is removed at the end if that has not happened.

    What was left behind by processes that wrote to the same target is removed first.

    Raises:
        OSError: it cannot be made.
    """
    # A name of its own length: that of the target may be as long as a name can be.
    start = f".phi-export-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}."
    for path in target.parent.glob(f"{start}*.part"):
        _remove_if_left(path)
    path, file = _create(target.parent, start)
    try:
        with file:
            yield Partial(file, path)
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _create(folder: Path, start: str) -> tuple[Path, BinaryIO]:
    while True:
        path = folder / f"{start}{secrets.token_hex(8)}.part"
        try:
            file = path.open("xb")
            _locked(file, wait=True)
            if os.fstat(file.fileno()).st_nlink:
                return path, file
            file.close()  # another process took it for a leftover before it was locked
        except FileExistsError:  # it is somebody else's
            raise
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise


def _remove_if_left(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink() or not path.is_file():
            return
        with path.open("rb") as file:
            if not _locked(file, wait=False):
                return
            if os.name != "nt":
                path.unlink()
        path.unlink(missing_ok=True)  # Windows: refused while somebody writes it


def _locked(file: BinaryIO, *, wait: bool) -> bool:
    """Lock the open ``file`` until it is closed; False when another process has it, or it is unknown."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def alone_in(folder: Path, on_progress: Progress = silent) -> Iterator[None]:
    """Wait until no other process takes a model in below ``folder``, remove what killed ones left, and hold the lock.

    On a file system without locks nothing is held and nothing is removed.

    Raises:
        OSError: ``folder`` cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK)
    with contextlib.ExitStack() as stack:
        while not lock.is_locked:
            try:
                stack.enter_context(lock.acquire(timeout=_WAIT_S))
            except Timeout:
                on_progress("waiting for another import", 0, 0)
            except NotImplementedError:
                break
        if lock.is_locked:
            for path in _leftovers(folder):
                shutil.rmtree(path, ignore_errors=True)  # follows no link
        yield


def abandoned(folder: Path) -> tuple[Path, ...]:
    """Folders below ``folder`` that killed imports left; none while an import runs, or if it is unknown."""
    from filelock import FileLock, Timeout

    left = _leftovers(folder)
    if not left:
        return ()
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return left
    except (Timeout, NotImplementedError, OSError):
        return ()


def remove_abandoned(folder: Path) -> None:
    """Remove what :func:`abandoned` finds.

    Raises:
        OSError: it cannot be removed.
    """
    if not abandoned(folder):
        return
    with alone_in(folder):
        return


def _leftovers(folder: Path) -> tuple[Path, ...]:
    with contextlib.suppress(OSError):
        hidden = (path for path in folder.iterdir() if path.name.startswith("."))
        return tuple(sorted(path for path in hidden if path.is_dir() and not path.is_symlink()))
    return ()
