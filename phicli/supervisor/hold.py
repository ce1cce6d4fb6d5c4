"""The server's side of its place: the lock, the socket and the state file, from its start to its end."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import socket
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phicli.errors import UsageError, disk_full, is_disk_full, reason_of
from phicli.supervisor.place import Place, check_private
from phicli.supervisor.state import ServerState, read_state, write_state

if TYPE_CHECKING:
    from filelock import BaseFileLock

_BACKLOG: Final = 128


class Held:
    """The place of this user, held by this process.

    Attributes:
        listening: the socket for the commands of this user.
        state: what the state file has, or will have once it is published.
    """

    def __init__(self, place: Place, lock: BaseFileLock, listening: socket.socket, state: ServerState) -> None:
        self.listening = listening
        self.state = state
        self._place = place
        self._lock = lock
        self._socket_inode = _inode(Path(state.socket)) if state.socket else 0
        self._state_inode = 0

    def publish(self, address: str = "") -> None:
        """Write the state file: from now on other commands find the server.

        Args:
            address: where it listens for other programs, too.

        Raises:
            DoesNotFitError: the disk is full.
            UsageError: it cannot be written.
        """
        self.state = replace(self.state, address=address)
        try:
            self._state_inode = write_state(self._place.state, self.state)
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(self._place.state) from error
            raise UsageError(
                f"{self._place.state} cannot be written: {reason_of(error)}",
                "set PHI_HOME to a folder that you can write to",
            ) from error

    def is_lost(self) -> bool:
        """Whether somebody removed the socket, so that no new client can find the server."""
        return bool(self.state.socket) and not self._is_ours and not self.state.address

    def hide(self) -> None:
        """Take the socket out of the way of new clients; those that have connected already stay connected."""
        if self._is_ours:
            self._hidden.unlink(missing_ok=True)
            Path(self.state.socket).rename(self._hidden)

    def show(self) -> None:
        """Take :meth:`hide` back."""
        if self.state.socket:
            with contextlib.suppress(FileNotFoundError):
                self._hidden.rename(self.state.socket)

    def close(self) -> None:
        """Remove socket and state file, and let the next server have the place; safe to call twice."""
        self.listening.close()
        with contextlib.suppress(OSError):
            if self.state.socket:
                self._hidden.unlink(missing_ok=True)
            if self._is_ours:
                Path(self.state.socket).unlink()
                self._remove_outer_folder()
            if self._state_inode and _inode(self._place.state) == self._state_inode:
                self._place.state.unlink()
        self._lock.release()

    def _remove_outer_folder(self) -> None:
        """Remove the folder of a socket that is not in the place; the next server makes it again."""
        folder = Path(self.state.socket).parent
        if folder != self._place.folder:
            with contextlib.suppress(OSError):
                folder.rmdir()

    @property
    def _hidden(self) -> Path:
        return Path(self.state.socket + "~")

    @property
    def _is_ours(self) -> bool:
        """Whether the path of the socket leads to this process: somebody may have removed the folder meanwhile."""
        return bool(self.state.socket) and _inode(Path(self.state.socket)) == self._socket_inode


def take(place: Place, *, version: str, command: Sequence[str] = (), background: bool = False) -> Held | None:
    """Become the server of this user: hold the lock and listen; None where another server is that.

    Raises:
        UsageError: the folder cannot be created or is not private, or its file system has no locks.
        DoesNotFitError: the disk is full.
    """
    place.make()
    lock = _locked(place.lock)
    if lock is None:
        return None
    state = ServerState(
        version=version,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        pid=os.getpid(),
        host=platform.node(),
        background=background,
        command=tuple(command),
    )
    try:
        _remove_stale(place)
        listening, state = on_loopback(state) if sys.platform == "win32" else on_socket(place.socket, state)
    except BaseException:
        lock.release()
        raise
    return Held(place, lock, listening, state)


def _locked(path: Path) -> BaseFileLock | None:
    """The lock at ``path``, held; None where another process holds it.

    Raises:
        UsageError: the file system cannot lock.
        DoesNotFitError: the disk is full.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and is_disk_full(error):
            raise disk_full(path) from error
        raise _no_locks(path) from error
    if not _excludes_others(path):
        lock.release()
        raise _no_locks(path)
    return lock


def _excludes_others(path: Path) -> bool:
    """Whether the system itself holds the lock: one that is only written down outlives a process that is killed."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _no_locks(path: Path) -> UsageError:
    return UsageError(
        f"the file system of {path} cannot lock files", "set PHI_HOME to a folder on a disk of this machine"
    )


def _remove_stale(place: Place) -> None:
    """Remove what a server left that was killed; the lock says that none lives."""
    state = read_state(place.state)
    paths = {place.socket, *([Path(state.socket)] if state and state.socket else [])}
    for path in paths:
        for name in (path, Path(f"{path}~")):
            with contextlib.suppress(OSError, UsageError, ValueError):
                check_private(name.parent)
                if stat.S_ISSOCK(name.lstat().st_mode):
                    name.unlink()
    with contextlib.suppress(OSError):
        place.state.unlink()


def on_socket(path: Path, state: ServerState) -> tuple[socket.socket, ServerState]:
    """A Unix socket at ``path`` that listens, and ``state`` with it.

    Raises:
        UsageError: there can be none.
        DoesNotFitError: the disk is full.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if is_disk_full(error):
            raise disk_full(path) from error
        raise UsageError(
            f"the server cannot listen on {path}: {reason_of(error)}",
            "set PHI_HOME to a folder on a disk of this machine",
        ) from error
    return listening, replace(state, socket=str(path))


def on_loopback(state: ServerState) -> tuple[socket.socket, ServerState]:
    """Where Python has no Unix sockets: a port that only the key in the private state file opens. Untried."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    loopback = f"127.0.0.1:{listening.getsockname()[1]}"
    return listening, replace(state, loopback=loopback, key=secrets.token_urlsafe(32))


def _inode(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except OSError:
        return 0
