"""Saves compiled kernels, but only if they are complete and tested."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from phicli.engine.kernels import Kernels, folder_of, kernels_folder, write_manifest
from phicli.errors import EngineError, disk_full, is_disk_full
from phicli.paths import read_small

_LOCK: Final = ".lock"
_STAGING: Final = ".new-"
_TEMPORARY: Final = "phi-build-"
_PLACE: Final = "temporary"
_NEW: Final = "kernels"
_OLD: Final = "replaced"
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600


@contextlib.contextmanager
def alone() -> Iterator[Path]:
    """Give a temporary folder for the module. Within the context no other build of this user runs.

    The temporary folder is in the folder of all kernels, so a module that loads there also loads where it is saved.
    Files that killed builds left behind are removed.

    Raises:
        EngineError: another build runs.
        DoesNotFitError: the disk is full.
        OSError: the folder cannot be written.
    """
    folder = kernels_folder()
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with _about(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        with _locked(folder):
            for left in folder.glob(f"{_STAGING}*"):
                _remove_temporary(left)
                shutil.rmtree(left, ignore_errors=True)
            with _about(folder):
                staging = tempfile.TemporaryDirectory(prefix=_STAGING, dir=folder, ignore_cleanup_errors=True)
            with staging as name:
                yield Path(name)
    finally:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()


@contextlib.contextmanager
def temporary_folder(staging: Path) -> Iterator[Path]:
    """Give a folder for everything else that a build writes; its path is in ``staging``, for the case of a kill.

    Raises:
        DoesNotFitError: the disk is full.
        OSError: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, ignore_cleanup_errors=True) as name:
        with _about(kernels_folder()):
            (staging / _PLACE).write_bytes(os.fsencode(name))
        yield Path(name)


def _remove_temporary(staging: Path) -> None:
    """Remove the temporary folder of the killed build that left ``staging``."""
    with contextlib.suppress(OSError, ValueError):
        path = Path(os.fsdecode(read_small(staging / _PLACE)))
        if path.is_absolute() and path.name.startswith(_TEMPORARY):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``; on a file system without locks, no lock is held.

    Raises:
        EngineError: another build holds the lock.
    """
    from filelock import FileLock, Timeout

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder / _LOCK, timeout=0))
        except Timeout:
            hint = "wait until it has ended, then see what it saved: phi engine list"
            raise EngineError("another phi engine build is running", hint) from None
        except NotImplementedError:
            pass
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if [path.name for path in folder.iterdir()] == [_LOCK]:
                    (folder / _LOCK).unlink()


@contextlib.contextmanager
def _about(folder: Path) -> Iterator[None]:
    """Turn errors of the system within the context into errors about ``folder``.

    Raises:
        DoesNotFitError: the disk is full.
        OSError: the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(folder) from error
        error.filename = str(folder)
        raise


def forbids_programs(folder: Path) -> bool:
    """Whether ``folder`` is on a file system from which no code can be loaded (mounted with ``noexec``)."""
    flag = getattr(os, "ST_NOEXEC", 0)
    return bool(flag and os.statvfs(folder).f_flag & flag)


def put(module: Path, staging: Path) -> Path:
    """Copy ``module`` below ``staging``, which :func:`alone` gave, and return the copy.

    Raises:
        DoesNotFitError: the disk is full.
        OSError: it cannot be written.
    """
    path = staging / _NEW / module.name
    with _about(kernels_folder()):
        path.parent.mkdir(mode=_PRIVATE_FOLDER)
        shutil.copyfile(module, path)
        path.chmod(_PRIVATE_FILE)
    return path


def sealed(kernels: Kernels) -> Kernels:
    """``kernels`` with the size and the hash of its file."""
    content = kernels.path.read_bytes()
    return replace(kernels, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def keep(kernels: Kernels) -> Kernels:
    """Move the tested copy that :func:`put` made to its final place, instead of an older build, and return it there.

    Raises:
        DoesNotFitError: the disk is full.
        OSError: it cannot be written; the older build is still in its place.
    """
    new = kernels.path.parent
    folder = folder_of(kernels.engine, kernels.variant, kernels.processor)
    with _about(kernels_folder()):
        write_manifest(kernels)
        old = new.with_name(_OLD)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            with contextlib.suppress(OSError):
                old.rename(folder)
            raise
    return replace(kernels, path=folder / kernels.path.name)
