"""What was not searched in a folder of another program, and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phicli.hub.in_place.types import Skipped
from phicli.hub.walking import BROKEN_LINK, Walk, broken_link_in, is_broken_link


def broken_folder(folder: Path, origin: str) -> tuple[Skipped, ...]:
    """The link to the folder of models, where it leads nowhere."""
    broken = broken_link_in(folder)
    return () if broken is None else (Skipped(origin, str(broken), BROKEN_LINK),)


def skipped_folders(below: Walk, folder: Path, origin: str, others: Iterable[Path]) -> list[Skipped]:
    """Folders below ``folder`` that were not searched; of the ``others`` links that lead nowhere, not hidden ones.

    Args:
        below: what was found there.
        folder: the folder.
        origin: whose it is.
        others: the files that are not models: a link among them may have been a folder.
    """
    broken = [path for path in others if not path.name.startswith(".") and is_broken_link(path)]
    skipped = [*below.skipped, *((path, BROKEN_LINK) for path in broken)]
    return [Skipped(origin, path.relative_to(folder).as_posix(), reason) for path, reason in skipped]
