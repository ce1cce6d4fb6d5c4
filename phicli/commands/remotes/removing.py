"""Removes remotes: all that were named, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phicli.errors import NotFoundError
from phicli.remotes.known import names as known_names
from phicli.remotes.known import not_found, remotes_file, remove


def remove_remotes(typed: Sequence[str]) -> tuple[tuple[str, ...], Path]:
    """Remove the remotes that were ``typed``; returns their names, and the file.

    Raises:
        NotFoundError: one does not exist; nothing is removed then.
        PhiError, OSError: the file cannot be changed.
    """
    known = known_names()
    wanted = tuple(dict.fromkeys(name if name in known else name.lower() for name in typed))
    if (missing := next((name for name in wanted if name not in known), None)) is not None:
        raise not_found(missing, known)
    for name in wanted:
        try:
            remove(name)
        except NotFoundError:  # another process was faster
            continue
    return wanted, remotes_file()
