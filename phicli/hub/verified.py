"""Remembers which files were hashed, so that a second look needs no second reading.

One small JSON file a model under ``verified`` in the data directory, named after the path. A record counts as long as
size and modification time of the file are those it was hashed with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from phicli.hub.hashing import sha256_of
from phicli.hub.types import Progress, silent
from phicli.paths import data_dir, read_small, write_atomically

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_YEAR_9999: Final = 253_370_764_800


@dataclass(frozen=True, slots=True)
class FileRecord:
    """``sha256`` (64 hexadecimal digits) of the file at ``path`` as it was at ``verified_at`` (seconds since 1970)."""

    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str
    verified_at: float


def recorded(path: Path) -> FileRecord | None:
    """The record of the file at ``path`` (links are followed), None when there is none or the file has changed."""
    real = Path(os.path.realpath(path))
    try:
        record = FileRecord(**json.loads(read_small(_record_path(real))))
        status = real.stat()
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if not _is_sound(record):
        return None
    same = (record.path, record.size_bytes, record.mtime_ns) == (str(real), status.st_size, status.st_mtime_ns)
    return record if same else None


def record(path: Path, sha256: str, *, as_of: os.stat_result | None = None) -> None:
    """Remember that the file at ``path`` has this hash now; a failure is ignored, because it only costs time later.

    ``as_of`` is how the file was before it was read: one that was written to meanwhile is not remembered.
    """
    real = Path(os.path.realpath(path))
    with contextlib.suppress(OSError):
        status = real.stat()
        if as_of is not None and (as_of.st_size, as_of.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            return
        fresh = FileRecord(str(real), status.st_size, status.st_mtime_ns, sha256, time.time())
        write_atomically(_record_path(real), json.dumps(asdict(fresh)).encode())


def hash_once(path: Path, on_progress: Progress = silent) -> str:
    """The SHA-256 of the file at ``path`` in 64 hexadecimal digits; from the records while they are current.

    Raises:
        OSError: the file cannot be read.
    """
    known = recorded(path)
    if known is not None:
        return known.sha256
    before = path.stat()
    digest = sha256_of(path, on_bytes=lambda done, total: on_progress(f"hashing {path.name}", done, total))
    record(path, digest, as_of=before)
    return digest


def forget(path: Path) -> None:
    """Drop the record of the file at ``path``, which may be gone already."""
    with contextlib.suppress(OSError):
        _record_path(Path(os.path.realpath(path))).unlink()


def _is_sound(record: FileRecord) -> bool:
    """Whether hash and time can be what they should be; the rest is compared with the file."""
    hashed = isinstance(record.sha256, str) and _SHA256.fullmatch(record.sha256) is not None
    return hashed and isinstance(record.verified_at, int | float) and 0 <= record.verified_at < _YEAR_9999


def _record_path(real: Path) -> Path:
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    return data_dir() / "verified" / f"{name}.json"
