"""Settings as ``phi config`` shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from phicli.errors import PhiError

From = Literal["variable", "profile", "file", "default"]


@dataclass(frozen=True, slots=True)
class Row:
    """A setting: the value that holds, where it comes from, and what there is to know about it.

    ``place`` is the variable, or the file with the line, empty for a default. ``value`` and ``default`` are None where
    the command or the model decides. ``problem`` is what is wrong with the value.
    """

    key: str
    value: Any
    source: From
    place: str
    flag: str
    variable: str
    default: Any
    help: str
    problem: PhiError | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The file, its profiles, the profile that is used (empty for none), settings, and what is wrong."""

    path: Path
    profiles: tuple[str, ...]
    profile: str
    rows: tuple[Row, ...]
    problems: tuple[PhiError, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A key of the file that was set or removed, its value, and what a person has to know about it."""

    path: Path
    key: str
    value: Any
    notes: tuple[str, ...]
