"""How much room the disk of a folder has, and whether it is a disk at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from phicli.hardware.types import Disk

_IN_MEMORY: Final = ("tmpfs", "ramfs")


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


def is_in_memory(path: Path) -> bool:
    """Whether files at ``path`` take up memory (``tmpfs``), as far as the system says so."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        target = path.resolve()
    except (OSError, RuntimeError, ValueError):
        return False
    kinds = dict[Path, str]()
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        kinds[Path(place.replace(r"\040", " "))] = kind
    nearest = next((kinds[place] for place in (target, *target.parents) if place in kinds), "")
    return nearest in _IN_MEMORY
