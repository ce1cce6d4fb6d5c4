"""Looks through folders of models, behind links too: people link publishers and repositories to another disk."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.errors import reason_of

BROKEN_LINK: Final = "the link is broken"
_DEEPEST: Final = 8
"""Of a tree that is as deep as this nobody keeps models at the end."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What is below a folder.

    ``files`` are all that are not folders, links that lead nowhere among them, in the order of their paths.
    ``skipped`` are folders that were not entered, with the reason.
    """

    files: tuple[Path, ...]
    skipped: tuple[tuple[Path, str], ...]


def walk(folder: Path, *, deepest: int | None = None) -> Walk:
    """Everything below ``folder``; each folder once, whichever links lead to it, and by a path without links first.

    A link to a folder that contains ``folder`` is not followed: it would lead through the whole disk.

    Args:
        folder: where to begin.
        deepest: how many levels of folders below it are entered; what is deeper is not looked for, so it is not
            among the skipped. By default there is a limit of 8, and what is deeper is.
    """
    files: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    entered: set[str] = set()
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        here = (folders or links).popleft()
        if (reason := _reason_to_skip(here, folder, entered, deepest)) is not None:
            skipped += [(here, reason)] if reason else []
            continue
        entered.add(os.path.realpath(here))
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            skipped.append((here, f"the folder cannot be read: {reason_of(error)}"))
            continue
        for entry in entries:
            kind = files if not _is_folder(entry) else links if entry.is_symlink() else folders
            kind.append(here / entry.name)
    return Walk(tuple(sorted(files)), tuple(skipped))


def is_broken_link(path: Path) -> bool:
    """Whether ``path`` is a link that leads nowhere, or round in circles."""
    return path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 (a circle is no error)


def broken_link_in(folder: Path) -> Path | None:
    """The part of the path ``folder`` that is a link which leads nowhere, a disk that is not mounted; None without."""
    try:
        return next((path for path in (folder, *folder.parents) if is_broken_link(path)), None)
    except (OSError, ValueError):  # what cannot be a path
        return None


def _reason_to_skip(here: Path, start: Path, entered: set[str], deepest: int | None) -> str | None:
    """Why the folder ``here`` is not entered, empty where nobody has to know; None when it is."""
    real = os.path.realpath(here)
    if here != start and Path(os.path.realpath(start)).is_relative_to(real):
        return "the link leads back to a folder that contains it"
    if real in entered:
        return "the link leads to a folder that was already searched" if here.is_symlink() else ""
    if len(here.relative_to(start).parts) > (_DEEPEST if deepest is None else deepest):
        return f"it is more than {_DEEPEST} folders deep" if deepest is None else ""
    return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in circles
        return False
