"""Turns errors of writing to the disk into sentences with a hint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from phicli.errors import UsageError, disk_full, is_disk_full


class UnwritableError(UsageError):
    """A folder that cannot be written, for reasons in the environment."""


@contextlib.contextmanager
def writing(what: str, folder: Path, hint: str, *, again: str = "") -> Iterator[None]:
    """Turn what the system says while ``folder`` (``what`` it is: ``the cache``) is written to into words.

    Only what writes belongs inside: an error of reading would be put down to the folder. ``again`` says what running it
    again will do, when the disk was full.

    Raises:
        DoesNotFitError: the disk is full.
        UnwritableError: the folder cannot be written; ``hint`` says what to do about it.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            free = "free some space (phi cache list, phi cache prune) and run the command again"
            raise disk_full(folder, free + (f": {again}" if again else "")) from error
        raise UnwritableError(f"{what} {folder} cannot be written: {error.strerror or error}", hint) from error


@contextlib.contextmanager
def new_folders(folder: Path) -> Iterator[None]:
    """Make ``folder`` and those above it; on an error those that were made here go again, if they are empty.

    Raises:
        OSError: they cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
