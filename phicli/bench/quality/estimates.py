"""Numbers found on a few hundred tokens, with what they could be on a long text of the same kind."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from phicli.records.statistics import interval_of_mean

BLOCK_TOKENS: Final = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error and its 95 % interval; None where there are too few tokens to tell."""

    value: float
    standard_error: float | None
    low: float | None
    high: float | None

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)


def estimate_of_mean(values: Sequence[float]) -> Estimate:
    """The mean of one value for each token, in the order of the text; at least one.

    Neighboring tokens are alike (a hard word is hard in all its pieces), and the error of a mean of independent values
    would be too small for them. So the error is that of the means of blocks of 8 tokens, ``s / √blocks``, and the
    interval is Student's for those ("batch means": Flegal, Haran and Jones, "Markov chain Monte Carlo: can we trust the
    third significant figure?", Statistical Science 23, 2008). It tells how another part of a text like this one would
    come out, not how another kind of text would. Tokens at the end that do not fill a block count in the value only.
    """
    value = statistics.fmean(values)
    ends = range(BLOCK_TOKENS, len(values) + 1, BLOCK_TOKENS)
    blocks = [statistics.fmean(values[end - BLOCK_TOKENS : end]) for end in ends]
    found = interval_of_mean(blocks)
    if found is None or found.low is None or found.high is None:
        return Estimate(value, None, None, None)
    half = (found.high - found.low) / 2
    return Estimate(value, statistics.stdev(blocks) / math.sqrt(len(blocks)), value - half, value + half)


def exponential(logarithm: Estimate) -> Estimate:
    """e to the ``logarithm``: the ends of the interval are taken along, the error by the delta method (times e^x)."""
    value = math.exp(logarithm.value)
    if logarithm.standard_error is None or logarithm.low is None or logarithm.high is None:
        return Estimate(value, None, None, None)
    return Estimate(value, value * logarithm.standard_error, math.exp(logarithm.low), math.exp(logarithm.high))
