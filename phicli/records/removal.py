"""Which runs are to be removed from the history: those that are named, or those of a certain age."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from phicli.errors import UsageError
from phicli.records.history import Entry, History
from phicli.records.run_ids import utc

_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}
_AGE: Final = re.compile(r"([0-9]{1,9})([a-z]*)")
_EXAMPLE: Final = "for example 90d; the units are h (hours), d (days), w (weeks) and y (years)"


def runs_to_remove(
    history: History, names: Sequence[str], older_than: str | None, now: datetime | None = None
) -> tuple[Entry, ...]:
    """The entries that are meant, each once: in the order of ``names``, else the newest first.

    Args:
        history: where they are.
        names: beginnings of ids, or ``last``.
        older_than: an age as typed, such as ``90d``, in place of ``names``.
        now: what the age counts from; the current time by default. An entry whose time cannot be read has no age.

    Raises:
        UsageError: there are both or neither of names and age, the age makes no sense, or several ids begin like that.
        NotFoundError: no entry has such an id.
        IntegrityError, OSError: as for :meth:`phicli.records.history.History.entries`.
    """
    if names and older_than is not None:
        raise UsageError("RUN and --older-than cannot be used together", "leave out one of them")
    if older_than is None:
        if not names:
            raise UsageError("no runs were given", "use phi runs rm RUN, or phi runs rm --older-than 90d")
        return history.get_all(names)
    before = time_of_age(older_than, now)
    return tuple(entry for entry in history.entries() if (made_at := utc(entry.made_at)) and made_at < before)


def time_of_age(age: str, now: datetime | None = None) -> datetime:
    """The time that is ``age`` ago; the first of all times where that is longer ago than there are times.

    Args:
        age: as typed behind ``--older-than``, such as ``90d``.
        now: what the age counts from; the current time by default.

    Raises:
        UsageError: ``age`` is not a number with a unit.
    """
    found = _AGE.fullmatch(age.strip().lower())
    if found is None or found[2] not in ("", *_HOURS):
        raise UsageError(f"--older-than {age} is not an age", _EXAMPLE)
    if not found[2]:
        raise UsageError(f"--older-than {age} has no unit", _EXAMPLE)
    try:
        return (now or datetime.now(UTC)) - timedelta(hours=int(found[1]) * _HOURS[found[2]])
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
