"""Reads sizes and rates as people type them: ``16G``, ``512MiB``, ``60GB/s``."""

from __future__ import annotations

import re
from typing import Final

from phicli.errors import UsageError

_NUMBER: Final = r"(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*"
_SIZE: Final = re.compile(_NUMBER + r"(?:(?P<unit>[kmgt])(?:i?b)?)?", re.IGNORECASE)
_RATE: Final = re.compile(_NUMBER + r"(?P<unit>[kmgt])(?P<binary>i)?b?(?:/s|ps)?", re.IGNORECASE)
_POWERS: Final = {"k": 1, "m": 2, "g": 3, "t": 4}
_MOST_BYTES: Final = 1 << 50
_LEAST_RATE: Final = 1e7
_MOST_RATE: Final = 1e15


def parse_size(text: str, option: str) -> int:
    """Bytes of memory. ``G``, ``GB``, ``GiB`` and no unit all mean 2^30, as memory is sold.

    Args:
        text: a number with a unit (K, M, G, T) or without; case and spaces do not matter.
        option: the option it was given to, for the error.

    Raises:
        UsageError: it is not a size, or not above zero, or beyond every machine.
    """
    hint = f"give a number and a unit, for example {option} 16G or {option} 512M"
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} {_shown(text)} is not a size", hint)
    size = float(match["number"]) * 1024 ** _POWERS[(match["unit"] or "g").lower()]
    if not 1 <= size < _MOST_BYTES:
        raise UsageError(
            f"{option} {_shown(text)} is {'too little' if size < 1 else 'more than any machine has'}", hint
        )
    return int(size)


def parse_size_or_none(text: str, option: str) -> int:
    """The same, where ``none`` and ``0`` are possible: then 0.

    Raises:
        UsageError: as for :func:`parse_size`.
    """
    return 0 if text.strip().lower() in ("0", "none", "no") else parse_size(text, option)


def parse_rate(text: str, option: str) -> float:
    """Bytes per second. ``GB/s`` means 10^9, as bandwidth is given; ``GiB/s`` 2^30. The ``/s`` may be left out.

    Raises:
        UsageError: it is not a rate, or below or beyond every machine.
    """
    hint = f"give a number and a unit, for example {option} 60GB/s"
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} {_shown(text)} is not a bandwidth", hint)
    rate = float(match["number"]) * (1024.0 if match["binary"] else 1000.0) ** _POWERS[match["unit"].lower()]
    if not _LEAST_RATE <= rate < _MOST_RATE:
        raise UsageError(
            f"{option} {_shown(text)} is {'less' if rate < _LEAST_RATE else 'more'} than any machine has", hint
        )
    return rate


def _shown(text: str) -> str:
    """What was typed, in quotes, cut where it is long and without characters that would upset a terminal."""
    kept = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"'{kept}'" if len(kept) <= 40 else f"'{kept[:37]}...'"
