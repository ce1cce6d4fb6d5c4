"""Model files of other programs, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A model file of another program; of a split model the first part, ``size_bytes`` being the sum of all.

    ``label`` is what that program calls it. ``sha256`` is what the program claims, not what was hashed here.
    """

    path: Path
    origin: str
    label: str
    sha256: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that looked like a model and cannot be used, and why."""

    origin: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """``folders`` are those that exist and were looked through."""

    folders: tuple[Path, ...] = ()
    found: tuple[FoundFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()
