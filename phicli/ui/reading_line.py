"""The line about a prompt that is processed: how far the engine is, and how long it still takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from time import monotonic
from typing import Final

from phicli.engine.types import Prefill
from phicli.ui.wrapping import cells

_BATCHES: Final = 3
"""The newest of them tell the speed: each batch takes longer than the one before."""
_FEWEST: Final = 2
_STEADY: Final = 1.5
"""How many times the slowest of these batches may take the time of the fastest."""
_MINUTE_S: Final = 60
_TENS_S: Final = 115
_START: Final = "processing the prompt"


class ReadingLine:
    """Makes the line of the engine's reports; tokens that were cached do not count.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._batches = deque[tuple[float, int]](maxlen=_BATCHES + 1)

    def text(self, report: Prefill, columns: int) -> str:
        """The line after ``report``, if possible in ``columns`` columns."""
        done, total = report.processed - report.cached, report.total - report.cached
        if self._batches and done < self._batches[-1][1]:  # another prompt
            self._batches.clear()
        self._batches.append((self._clock(), done))
        if done <= 0 or total <= 0:
            return f"{_START}: {total:,} tokens" if total > 0 else _START
        percent, left = f"{100 * done // total} %", self._left(total - done)
        whole = f"{_START}: {done:,} of {total:,} tokens, {percent}{left}"
        return next((line for line in (whole, f"{_START}: {percent}{left}") if cells(line) <= columns), percent + left)

    def _left(self, tokens: int) -> str:
        """How long ``tokens`` take; empty where the speed is not steady."""
        spans = [(now - then, more - less) for (then, less), (now, more) in pairwise(self._batches)]
        times = [seconds / count for seconds, count in spans if count > 0]
        if tokens <= 0 or len(times) < _FEWEST or max(times) > _STEADY * min(times):
            return ""
        return f", about {_rounded(tokens * sum(times) / len(times))} left"


def _rounded(seconds: float) -> str:
    """A time that is not known to the second: ``4 s``, ``35 s``, ``80 s``, ``3 min``."""
    if seconds >= _TENS_S:
        return f"{round(seconds / _MINUTE_S)} min"
    step = 10 if seconds >= _MINUTE_S else 5 if seconds >= 10 else 1
    return f"{max(round(seconds / step) * step, 1)} s"
