"""Means, spreads and intervals of small samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
_TINY: Final = 1e-300
_PRECISION: Final = 1e-15
_MOST_TERMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and sample standard deviation (``n - 1``; 0 for one value) of ``count`` values."""

    mean: float
    stdev: float
    count: int


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the range of the true value with the ``confidence`` that was asked for.

    ``low`` and ``high`` are None if there are too few values. ``method`` names how it was
    found, in words.
    """

    estimate: float
    low: float | None
    high: float | None
    confidence: float
    method: str


def summary(values: Sequence[float]) -> Summary | None:
    """The summary of ``values``; None when there are none."""
    if not values:
        return None
    return Summary(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which ``percent`` % of the ``values`` lie, by linear interpolation between the closest ranks.

    This is definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50
    (1996), which NumPy and R have as their default: 0 is the smallest value, 50 the median, 100 the largest.

    Raises:
        ValueError: there are no values, or ``percent`` is not between 0 and 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError("a percentile needs values, and a share between 0 and 100")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])


def interval_of_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """The mean of independent, roughly normal values with its interval, by Student's t: mean ± t · s / √n.

    Formula: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.5.2. Without values it is None; one value has
    no ends, as its spread is unknown; values that are all the same have ends equal to the mean.

    Raises:
        ValueError: ``confidence`` is not between 0 and 1.
    """
    _check(confidence)
    found = summary(values)
    if found is None:
        return None
    if found.count == 1:
        return Interval(found.mean, None, None, confidence, "one value")
    half = t_quantile((1 + confidence) / 2, found.count - 1) * found.stdev / math.sqrt(found.count)
    return Interval(found.mean, found.mean - half, found.mean + half, confidence, "t of the mean")


def ratio_interval(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = CONFIDENCE, *, paired: bool | None = None
) -> Interval | None:
    """The ratio of the geometric means of ``ours`` and ``theirs`` (all above 0), with its interval.

    Both are taken as logarithms, where a ratio is a difference and slower by half is as far away as faster by twice.
    ``paired`` is for repetitions that were interleaved, the first of ours beside the first of theirs and so on: what
    slowed both down cancels out, and the interval is that of :func:`interval_of_mean` for the differences. Otherwise it
    is Welch's, which lets both have their own spread ("The generalization of 'Student's' problem when several
    different population variances are involved", Biometrika 34, 1947; degrees of freedom by Welch and Satterthwaite
    as in the NIST/SEMATECH e-Handbook, section 1.3.5.3). None decides by the counts: paired when they are equal.
    ``method`` says which it was.

    Without values on a side it is None. With one value on a side there are no ends.

    Raises:
        ValueError: a value is not above 0 or not finite, ``confidence`` is not between 0 and 1, or ``paired`` is asked
            for with unequal counts.
    """
    _check(confidence)
    if not all(math.isfinite(value) and value > 0 for value in (*ours, *theirs)):
        raise ValueError("a ratio needs finite values above 0")
    if paired and len(ours) != len(theirs):
        raise ValueError("pairs need as many values on one side as on the other")
    if not ours or not theirs:
        return None
    logs, other_logs = [math.log(value) for value in ours], [math.log(value) for value in theirs]
    if paired or (paired is None and len(ours) == len(theirs)):
        pairs = interval_of_mean([mine - other for mine, other in zip(logs, other_logs, strict=True)], confidence)
        half = pairs.high - pairs.estimate if pairs and pairs.high is not None else None
        method = "t of the paired log ratios"
    else:
        half = _welch_half(logs, other_logs, confidence)
        method = "Welch's t of the logs"
    middle = statistics.fmean(logs) - statistics.fmean(other_logs)
    if half is None:
        return Interval(math.exp(middle), None, None, confidence, "one value")
    return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half), confidence, method)


def wilson_interval(successes: float, trials: float, confidence: float = CONFIDENCE) -> Interval | None:
    """A share, such as that of the right answers, with Wilson's score interval, which never leaves 0 to 1.

    Formula: Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), without continuity correction. None without trials. Effective
    counts need not be whole.

    Raises:
        ValueError: there are more successes than trials, or fewer than 0, or ``confidence`` is not between 0 and 1.
    """
    _check(confidence)
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a share")
    if trials == 0:
        return None
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    weight = z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    low = 0.0 if successes == 0 else max(0.0, middle - half)  # exactly, where rounding would leave 1e-17
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return Interval(share, low, high, confidence, "Wilson's score")


def t_quantile(probability: float, freedom: float) -> float:
    """Student's t with ``freedom`` degrees (above 0, whole or not) that is exceeded with 1 - ``probability``.

    Found by bisection of the distribution: 1 - I(f / (f + t²); f / 2, 1 / 2) / 2 for t ≥ 0, with the regularized
    incomplete beta function I (NIST Digital Library of Mathematical Functions, 8.17; Abramowitz and Stegun, 26.7.1).

    Raises:
        ValueError: ``probability`` is not between 0 and 1, or ``freedom`` is not above 0.
    """
    if not 0 < probability < 1 or not freedom > 0:
        raise ValueError("a quantile of t needs a probability between 0 and 1 and degrees of freedom above 0")
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom)
    tail = 2 * (1 - probability)
    low, high = 0.0, 1.0
    while _two_tails(high, freedom) > tail:
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _two_tails(middle, freedom) > tail else (low, middle)
    return middle


def _two_tails(t: float, freedom: float) -> float:
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I(x; a, b) by the continued fraction 8.17.22 of the NIST DLMF."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, its mirror image does not
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / (a * _beta_fraction(x, a, b))


def _beta_fraction(x: float, a: float, b: float) -> float:
    """1 + d1 / (1 + d2 / (1 + …)) with the d of DLMF 8.17.23, by the algorithm of Lentz as modified by Thompson."""
    value, numerator, denominator = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        m = term // 2
        if term % 2:
            factor = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            factor = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / (1 + factor * denominator or _TINY)
        numerator = 1 + factor / numerator or _TINY
        value *= numerator * denominator
        if abs(numerator * denominator - 1) < _PRECISION:
            break
    return value


def _welch_half(ours: Sequence[float], theirs: Sequence[float], confidence: float) -> float | None:
    """Half the width of Welch's interval of the difference of means; None where a side has one value."""
    if len(ours) < 2 or len(theirs) < 2:
        return None
    mine, other = statistics.variance(ours) / len(ours), statistics.variance(theirs) / len(theirs)
    if mine + other == 0:
        return 0.0
    freedom = (mine + other) ** 2 / (mine**2 / (len(ours) - 1) + other**2 / (len(theirs) - 1))
    return t_quantile((1 + confidence) / 2, freedom) * math.sqrt(mine + other)


def _check(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence must be between 0 and 1, not {confidence}")
