"""Means, spreads and intervals of small samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and sample standard deviation (``n - 1``; 0 for one value) of ``count`` values."""

    mean: float
    stdev: float
    count: int


def summary(values: Sequence[float]) -> Summary | None:
    """The summary of ``values``; None when there are none."""
    if not values:
        return None
    return Summary(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))
