"""Ids and times of what is measured."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime
from typing import Final

_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing in it is taken for another one
_TICKS_A_SECOND: Final = 32
_EPOCH_S: Final = 1_704_067_200  # 2024-01-01
_TIME_LETTERS: Final = 7  # 35 bits of 1/32 s: 34 years
_RANDOM_LETTERS: Final = 3


def now() -> str:
    """The time, ISO 8601, UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def utc(made_at: str) -> datetime | None:
    """The time that ``made_at`` says in ISO 8601, UTC where it names no zone; None for what is not a time."""
    try:
        time_ = datetime.fromisoformat(made_at)
        return time_.replace(tzinfo=UTC) if time_.tzinfo is None else time_.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Clock:
    """Ticks since 2024 that never come twice in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def tick(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, int((time.time() - _EPOCH_S) * _TICKS_A_SECOND))
            return self._last


_CLOCK: Final = _Clock()


def new_run_id() -> str:
    """Ten letters and digits: the time to 1/32 s, so that they sort by it, and three at random."""
    return _spelled(_CLOCK.tick(), _TIME_LETTERS) + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS))


def run_id_at(made_at: str, number: int) -> str:
    """The id of something measured at ``made_at`` (ISO 8601): the same for the same time and ``number``.

    The last three letters are those of ``number``, of which only the lowest 15 bits count.
    """
    time_ = utc(made_at)
    seconds = 0.0 if time_ is None else time_.timestamp() - _EPOCH_S
    return _spelled(max(int(seconds * _TICKS_A_SECOND), 0), _TIME_LETTERS) + _spelled(number, _RANDOM_LETTERS)


def _spelled(number: int, letters: int) -> str:
    """The lowest bits of ``number``, five per letter."""
    return "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(letters)))
