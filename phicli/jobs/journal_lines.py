"""The lines of a journal of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MOST_ITEMS: Final = 1 << 27
"""Larger numbers are damaged ones: memory holds 8 bytes for each number up to the largest."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A result as it is saved.

    ``sitting`` counts the times the job was started, from 1; ``elapsed_s`` is from the first question of that sitting
    to the end of this result.
    """

    number: int
    sitting: int
    elapsed_s: float
    failed: bool
    result: Mapping[str, Any]


def line_of(data: Mapping[str, Any]) -> bytes:
    """``data`` as a line."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", errors="surrogatepass") + b"\n"


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what is not the same in both."""
    names = dict.fromkeys([*first, *second])
    return tuple(name for name in names if name not in first or name not in second or first[name] != second[name])


def saved_in(data: Mapping[str, Any]) -> Saved | None:
    """The result in the object of a line; None where there is none."""
    try:
        number, sitting, elapsed_s = data["n"], data["sitting"], float(data["elapsed_s"])
        failed, result = data["failed"], data["result"]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    numbers = isinstance(number, int) and 0 <= number < MOST_ITEMS and isinstance(sitting, int)
    if not numbers or not isinstance(failed, bool) or not isinstance(result, dict):
        return None
    return Saved(number, sitting, elapsed_s, failed, result)


def object_in(line: bytes) -> Mapping[str, Any]:
    """The JSON object in a line; an empty one where there is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
