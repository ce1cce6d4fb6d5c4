"""The JSON files in the folder of a run, which a person may have edited: as they should be, or an error in words."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from phicli.errors import IntegrityError, UsageError, reason_of
from phicli.paths import read_small

FORMAT: Final = 1
"""Of ``run.json``. Files of the first versions do not have it."""
_OTHER: Final = "choose another folder: --out FOLDER"
_MADE_HERE: Final = frozenset({"identity", "recipe", "base"})
"""Keys of which every ``run.json`` of ``phi`` has one; a file without is of another program."""


def is_count(value: Any) -> bool:
    """Whether ``value`` is a whole number from 0 on, of which there can be so many."""
    return type(value) is int and 0 <= value < 1 << 63


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number that is not too large to be computed with."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_sizes(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_count, value.values()))


_RESULT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "step": is_count,
    "early": lambda value: isinstance(value, bool),
    "seconds": is_number,
    "peak_bytes": is_count,
    "needed_memory_bytes": is_count,
    "loss": lambda value: value is None or is_number(value),
    "validation_loss": lambda value: value is None or is_number(value),
    "estimated_s": lambda value: value is None or is_number(value),
}


def read_run(path: Path) -> Mapping[str, Any] | None:
    """What the run is whose ``run.json`` is ``path``; None where there is none, or that of another program.

    Raises:
        IntegrityError: the file is damaged, or was written by a newer phi.
        UsageError: it cannot be read.
    """
    try:
        found = json.loads(read_small(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}", _OTHER) from None
    except (ValueError, RecursionError):
        raise _damaged(path, "it is not JSON") from None
    if not isinstance(found, dict):
        raise _damaged(path, "it is not a JSON object")
    if _MADE_HERE.isdisjoint(found):
        return None
    number = found.get("format", FORMAT)
    if is_count(number) and number > FORMAT:
        raise IntegrityError(f"a newer phi wrote {path} (format {number})", f"upgrade phi; or {_OTHER}")
    if not isinstance(found.get("identity"), dict):
        raise _damaged(path, "identity is not an object, by which the run is known")
    if not _is_sizes(found.get("files", {})):
        raise _damaged(path, "files is not an object of sizes in bytes")
    return found  # all else is written anew when the run continues


def read_result(path: Path) -> Mapping[str, Any] | None:
    """What came of a run, as the file ``path`` has it; None where there is none, or something of it is missing."""
    found = object_in(path)
    complete = found is not None and all(key in found and fits(found[key]) for key, fits in _RESULT.items())
    return found if complete else None


def object_in(path: Path, most_bytes: int = 1 << 20) -> Mapping[str, Any] | None:
    """The JSON object in the file ``path``; None where there is none, or it is damaged."""
    try:
        found = json.loads(read_small(path, most_bytes))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(f"{path} is damaged: {what}", f"undo the change in it, or {_OTHER}")
