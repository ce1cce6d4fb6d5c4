"""How much room the disk of the cache has."""

from __future__ import annotations

from pathlib import Path

from phicli.hardware.types import Disk


def disk_at(path: Path) -> tuple[Disk | None, str]:
    """The disk that ``path`` is or would be on, and where that came from; None if that is unknown."""
    import shutil

    for place in (path, *path.absolute().parents):
        try:
            usage = shutil.disk_usage(place)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            return None, f"the disk cannot be checked: {getattr(error, 'strerror', None) or error}"
        return Disk(str(place), usage.total, usage.free), "the file system of the cache"
    return None, "no folder above the cache exists"
