"""Remembers which files were hashed, so that a second look needs no second reading.

One small JSON file a model under ``verified`` in the data directory, named after the path. A record counts as long as
size and modification time of the file are those it was hashed with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from phicli.paths import data_dir, write_atomically


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
        record = FileRecord(**json.loads(_record_path(real).read_text("utf-8")))
        status = real.stat()
    except (OSError, ValueError, TypeError):
        return None
    same = (record.path, record.size_bytes, record.mtime_ns) == (str(real), status.st_size, status.st_mtime_ns)
    return record if same else None


def record(path: Path, sha256: str) -> None:
    """Remember that the file at ``path`` has this hash now; not being able to is no error, only slower later."""
    real = Path(os.path.realpath(path))
    with contextlib.suppress(OSError):
        status = real.stat()
        fresh = FileRecord(str(real), status.st_size, status.st_mtime_ns, sha256, time.time())
        write_atomically(_record_path(real), json.dumps(asdict(fresh)).encode())


def forget(path: Path) -> None:
    """Drop the record of the file at ``path``, which may be gone already."""
    with contextlib.suppress(OSError):
        _record_path(Path(os.path.realpath(path))).unlink()


def _record_path(real: Path) -> Path:
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    return data_dir() / "verified" / f"{name}.json"
