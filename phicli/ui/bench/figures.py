"""Numbers of benchmarks as people read them, and the signs that a stream can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TextIO

from phicli.records.statistics import Summary

_EIGHTHS: Final = "▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Signs:
    """What stands between numbers and between words, and whether bars can be fine."""

    plus_minus: str = "±"
    dot: str = "·"
    fine: bool = True


def signs_of(stream: TextIO) -> Signs:
    """The signs that ``stream`` encodes."""
    try:
        f"±·█{_EIGHTHS}".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return Signs("+-", "|", fine=False)
    return Signs()


def rate(value: float) -> str:
    """Tokens per second, or another rate, with three digits."""
    return f"{value:.{decimals(value)}f}"


def decimals(value: float) -> int:
    """Digits after the point that leave three in all."""
    return 2 if value < 9.995 else 1 if value < 99.95 else 0


def with_spread(found: Summary | None, signs: Signs) -> str:
    """Mean and standard deviation with equally many decimals; the mean alone for one value; nothing for none."""
    if found is None:
        return ""
    mean = rate(found.mean)
    return f"{mean} {signs.plus_minus} {found.stdev:.{decimals(found.mean)}f}" if found.count > 1 else mean


def duration(milliseconds: float | None) -> str:
    """``512 ms``, ``1.50 s``, ``75.2 s``."""
    if milliseconds is None:
        return ""
    if milliseconds < 999.5:
        return f"{milliseconds:.{1 if milliseconds < 9.95 else 0}f} ms"
    return f"{rate(milliseconds / 1000)} s"


def bar(share: float, width: int, *, fine: bool) -> str:
    """A bar of ``share`` (0 to 1) of ``width`` characters; anything above 0 shows."""
    if not fine:
        return "#" * max(round(share * width), share > 0)
    eighths = max(round(share * width * 8), share > 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")
