"""Saves the state of an engine after ``phi`` has ended: the last work of the engine's own process.

``worker.py`` loads this file by its path, so it needs nothing but the standard library. ``phi`` uses its lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_TICK_S = 0.05
_NAME, _RECORD = "kept", "record.json"


def leave(order: dict[str, Any], address: str, api_key: str, acknowledge: Callable[[], None]) -> NoReturn:
    """Do what ``order`` says, and end this process, at the latest after ``limit_s`` seconds.

    Args:
        order: ``folder``, the engine's folder of states, which is deleted at the end; ``state``, ``record`` and
            ``lock``: the paths of what is made; ``facts``: the content of the record, but for what is known only here;
            ``model``: the parts of the model file, as ``part_facts`` has them, ``sha256`` null where it is unknown;
            ``most_bytes``: a larger state is not saved; ``limit_s``.
        address: of the server of this process.
        api_key: its key.
        acknowledge: called when the work has begun; the caller need not wait any longer.
    """
    folder = Path(order["folder"])
    timer = threading.Timer(order["limit_s"], _end, (folder,))
    timer.daemon = True
    timer.start()
    try:
        lock = _opened(Path(order["lock"]))  # the same file to the end: if the session is removed, it is gone
        locked = _locks(lock, wait_s=0)
        acknowledge()
        if locked or _locks(lock, wait_s=order["limit_s"]):  # another process may save a state of the same session
            _save(order, folder, lock, _saving(address, api_key))
    except (OSError, ValueError, KeyError):
        pass  # a state that is not there costs time, and there is nobody to report it to
    finally:
        _end(folder)


def taken(path: Path, *, wait_s: float) -> int | None:
    """The lock at ``path`` as an open file, which is created where it is missing; None if it stays with another.

    The end of the process gives it back too.

    Raises:
        OSError: the file cannot be created, or its disk has no locks.
    """
    file, locked = _opened(path), False
    try:
        locked = _locks(file, wait_s=wait_s)
    finally:
        if not locked:
            os.close(file)
    return file if locked else None


def digest(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def part_facts(path: Path) -> dict[str, Any]:
    """What identifies a part of a model file, so that a file in its place is noticed.

    Raises:
        OSError: there is no such file.
    """
    real = Path(os.path.realpath(path))
    found = real.stat()
    return {
        "path": str(real), "inode": found.st_ino, "size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
    }  # fmt: skip


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _locks(file: int, *, wait_s: float) -> bool:
    """Lock the open file for this process, and return whether that worked in time."""
    deadline = time.monotonic() + wait_s
    while not _locked(file):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_TICK_S)
    return True


def _locked(file: int) -> bool:
    """Whether the open file is locked for this process now.

    Raises:
        OSError: its disk has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # any other error: there are no locks on this disk
        return False
    return True


def _save(order: dict[str, Any], folder: Path, lock: int, save: Callable[[str], dict[str, Any]]) -> None:
    state, record = folder / _NAME, folder / _RECORD
    _create(state)
    reply = save(_NAME)
    size = state.stat().st_size
    if size != reply["n_written"] or not reply["n_saved"] or size > order["most_bytes"]:
        return
    about = {"sha256": digest(state), "size_bytes": size, "tokens": reply["n_saved"], "saved_at": time.time()}
    data = {**order["facts"], **about, "model": [_hashed(part) for part in order["model"]]}
    _create(record)
    record.write_text(json.dumps(data), encoding="utf-8")
    if _is_there(Path(order["lock"]), lock):
        state.replace(order["state"])
        record.replace(order["record"])
    if not _is_there(Path(order["lock"]), lock):  # the session was removed meanwhile
        for path in (order["state"], order["record"]):
            Path(path).unlink(missing_ok=True)


def _hashed(part: dict[str, Any]) -> dict[str, Any]:
    """``part`` with its hash.

    Raises:
        ValueError: the file is no longer the one that was loaded.
    """
    if part["sha256"] is not None:
        return part
    path = Path(part["path"])
    sha256 = digest(path)
    if {**part_facts(path), "sha256": None} != part:
        raise ValueError(part["path"])
    return {**part, "sha256": sha256}


def _create(path: Path) -> None:
    """Create an empty file that only this user may read."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600))


def _is_there(path: Path, lock: int) -> bool:
    """Whether the lock is still at its path: whoever removes a session removes its lock first."""
    with contextlib.suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(lock))
    return False


def _saving(address: str, api_key: str) -> Callable[[str], dict[str, Any]]:
    """What has the server of this process save the state of its slot under a name."""
    import http.client

    def save(name: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(address.rpartition("/")[2])
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/slots/0?action=save", json.dumps({"filename": name}), headers)
            return dict(json.loads(connection.getresponse().read()))
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    return save


def _end(folder: Path) -> NoReturn:
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)
