"""A lock that one process has at a time."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from filelock import FileLock

_WAIT_S: Final = 0.2
"""How long another process may take to let go: it removes the file first, and who opened that file has to try again."""


def lock_of(path: Path) -> Path:
    """The file that is locked while one process writes ``path``."""
    return path.with_name(f"{path.name}.lock")


class LockFile:
    """A file that a process locks; it is removed when the lock is released, and stays after a process was killed.

    Args:
        path: of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: FileLock | None = None

    def take(self) -> bool:
        """Take the lock; False if another process has it. On a file system without locks it is True for everybody.

        Raises:
            OSError: the file cannot be written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._path, timeout=_WAIT_S)
        try:
            lock.acquire()
        except Timeout:
            return False
        except NotImplementedError:
            return True
        self._lock = lock
        return True

    def release(self) -> None:
        """Let go of the lock, and remove the file; nothing happens where it was not taken."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):  # Windows removes it when it is released, not while it is held
            self._path.unlink()
        self._lock.release()
        self._lock = None
