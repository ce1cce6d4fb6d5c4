"""Whether a challenger is faster, from the ratios of a few interleaved rounds.

- after one round: lost if it is not within 8 % of what it has to reach
- after two: lost if on average it does not reach that; won if both rounds gained over 10 % (and reached it)
- after three and four: lost likewise; won if it reaches it and the 95 % paired interval excludes 1, or every round
  reached it; lost for good after four

What it has to reach is 3 % (:data:`MARGIN`), or 10 % where something else is lost by it (:data:`WIDE_MARGIN`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from phicli.records.statistics import Interval, ratio_interval

WON: Final = "won"
LOST: Final = "lost"
OPEN: Final = "undecided"
NOTED: Final = "noted"

MARGIN: Final = 1.03
WIDE_MARGIN: Final = 1.10
MOST_ROUNDS: Final = 4

_NEAR: Final = 0.08
_CLEARLY: Final = 1.10


def verdict(ratios: Sequence[float], margin: float = MARGIN) -> str:
    """``won``, ``lost``, or ``undecided`` as long as another round could tell.

    Args:
        ratios: how many times as fast the challenger was in each round.
        margin: what it has to reach.
    """
    rounds = len(ratios)
    if not rounds:
        return OPEN
    mean = math.exp(math.fsum(map(math.log, ratios)) / rounds)
    if rounds == 1:
        return LOST if mean < margin - _NEAR else OPEN
    if mean <= margin:
        return LOST
    if rounds == 2:
        return WON if min(ratios) > max(_CLEARLY, margin) else OPEN
    low = interval(ratios).low
    if (low is not None and low > 1) or min(ratios) > margin:
        return WON
    return OPEN if rounds < MOST_ROUNDS else LOST


def interval(ratios: Sequence[float]) -> Interval:
    """The geometric mean of ``ratios`` (at least one) with its paired 95 % interval; no ends for a single round."""
    found = ratio_interval(ratios, [1.0] * len(ratios), paired=True)
    assert found is not None  # noqa: S101 (there is a round)
    return found
