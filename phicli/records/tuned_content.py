"""The content of a file with tuned settings: see :mod:`phicli.records.tuned_files`."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from phicli.paths import read_small, write_atomically
from phicli.records.tuned import Tuned
from phicli.records.tuned_folder import tuned_folder

_END_BYTES: Final = 1 << 16
_LARGEST_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class TuningConditions:
    """The conditions under which tuned settings are valid: processor, usable cores, build of the default engine."""

    cpu: str
    cores: int
    build: str


@dataclass(slots=True)
class Content:
    """The content of a file: entries, the conditions that were reported as stale, marks of machines."""

    entries: list[Tuned] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    marks: dict[str, TuningConditions] = field(default_factory=dict)


def places_of(path: Path, sha256: str | None) -> list[Path]:
    """Where something may be kept for a model file, the best name first."""
    names = [] if sha256 is None else [f"sha256-{sha256}"]
    with contextlib.suppress(OSError):
        names.append(f"file-{digest_of(path)}")
    return [tuned_folder() / f"{name}.json" for name in names]


def all_places() -> list[Path]:
    """All files."""
    try:
        return sorted(tuned_folder().glob("*.json"))
    except OSError:
        return []


def read_content(places: Iterable[Path]) -> Content:
    """The content of all ``places`` together, without files that cannot be read."""
    found = Content()
    for place in places:
        try:
            data = json.loads(read_small(place, _LARGEST_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, Mapping):
            found.entries += _entries(data.get("tuned"))
            found.told |= {str(one) for one in _list(data.get("told"))}
            found.marks |= _marks(data.get("marks"))
    return found


def write_content(place: Path, content: Content) -> None:
    """Replace the old content with ``content``.

    Raises:
        OSError: it cannot be written.
    """
    data = {
        "tuned": [one.to_data() for one in content.entries],
        "told": sorted(content.told),
        "marks": {mark: asdict(one) for mark, one in content.marks.items()},
    }
    write_atomically(place, json.dumps(data, indent=1).encode() + b"\n")


def digest_of(path: Path) -> str:
    """A digest of size, modification time, and the first and last 64 KiB of a file, in 32 hexadecimal digits.

    Raises:
        OSError: the file cannot be read, or is a pipe or a device, which might never end.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(status.st_size - _END_BYTES, 0))
        digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:32]


def _entries(data: Any) -> list[Tuned]:
    found = []
    for one in _list(data):
        with contextlib.suppress(ValueError):
            if isinstance(one, Mapping):
                found.append(Tuned.from_data(one))
    return found


def _marks(data: Any) -> dict[str, TuningConditions]:
    found = {}
    for mark, one in data.items() if isinstance(data, Mapping) else ():
        with contextlib.suppress(TypeError):
            found[str(mark)] = TuningConditions(**one)
    return found


def _list(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []
