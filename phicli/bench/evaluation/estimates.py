"""Means over questions, perplexities over tokens, and differences of two models, each with its interval.

The tokens of one answer are alike, and so are the answers of one conversation: a hard topic is hard in all of them.
Independent are only the lines of the file. So the spread between lines decides how wide an interval is, however many
tokens they have (clustered standard errors: Miller, "Adding Error Bars to Evals", arXiv:2411.00640, 2024).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from phicli.records.statistics import CONFIDENCE, Interval, t_quantile, wilson_interval

NO_ENDS: Final = "one line"
_LARGEST: Final = 700.0
"""Of exponents: e to it is close to the largest number."""


class Part(NamedTuple):
    """What one answer adds to a ratio: ``total`` above, ``size`` below; answers of one ``line`` are not independent."""

    line: Hashable
    total: float
    size: float = 1.0


def ratio_of_sums(parts: Iterable[Part], confidence: float = CONFIDENCE) -> Interval | None:
    """The sum of all totals over the sum of all sizes, with Student's interval over lines; None without parts.

    The variance is that of the ratio of two sums over a simple random sample of clusters, by linearization: with R the
    ratio and m lines, m / (m - 1) · Σ (total - R · size)² / (Σ size)² (Cochran, "Sampling Techniques", 3rd edition,
    1977, chapter 6: ratio estimators). With m - 1 degrees of freedom. Where every line has the size 1 this is Student's
    interval of a mean. With one line there are no ends.
    """
    lines = _by_line(parts)
    size = math.fsum(sums.size for sums in lines)
    if not size:
        return None
    ratio = math.fsum(sums.total for sums in lines) / size
    if len(lines) == 1:
        return Interval(ratio, None, None, confidence, NO_ENDS)
    half = t_quantile((1 + confidence) / 2, len(lines) - 1) * math.sqrt(_variance(lines))
    return Interval(ratio, ratio - half, ratio + half, confidence, "Student's t over lines")


def _by_line(parts: Iterable[Part]) -> list[Part]:
    """One part for each line: the sums of its parts."""
    lines: dict[Hashable, Part] = {}
    for part in parts:
        before = lines.get(part.line, Part(part.line, 0.0, 0.0))
        lines[part.line] = Part(part.line, before.total + part.total, before.size + part.size)
    return list(lines.values())


def _variance(lines: Sequence[Part]) -> float:
    """That of the ratio of sums, for two lines or more."""
    count, size = len(lines), math.fsum(sums.size for sums in lines)
    ratio = math.fsum(sums.total for sums in lines) / size
    return count / (count - 1) * math.fsum((sums.total - ratio * sums.size) ** 2 for sums in lines) / size**2


def share_of_lines(parts: Sequence[Part]) -> Interval | None:
    """The mean of values between 0 and 1, with its interval, which does not leave that range.

    Where all values are 0 or 1 they are a share, and the interval is Wilson's for so many :func:`_observations`.
    """
    count = _observations(parts, (0.0, 1.0))
    if not count:
        return _within(ratio_of_sums(parts), 0.0, 1.0)
    share = sum(part.total for part in parts) / len(parts)
    found = wilson_interval(share * count, count)
    return found and replace(found, estimate=share)


def loss_per_token(parts: Sequence[Part]) -> Interval | None:
    """The mean negative log-probability of a token, with its interval, which does not go below 0."""
    return _within(ratio_of_sums(parts), 0.0, math.inf)


def difference_over_lines(parts: Sequence[Part]) -> Interval | None:
    """The mean of differences between -1 and 1, with its interval, which does not leave that range.

    Where all differences are -1, 0 or 1 they are those of two shares, and the interval is :func:`difference_interval`
    for so many :func:`_observations`.
    """
    count = _observations(parts, (-1.0, 0.0, 1.0))
    if not count:
        return _within(ratio_of_sums(parts), -1.0, 1.0)
    gains, losses = (sum(part.total == value for part in parts) / len(parts) for value in (1.0, -1.0))
    low, high = difference_interval(losses * count, gains * count, count)
    return Interval(gains - losses, low, high, CONFIDENCE, "Agresti and Min's")


def _observations(parts: Sequence[Part], known: Sequence[float]) -> float:
    """How many independent answers say as much as these, if all are ``known`` values; 0 for others.

    One for each answer where each has a line of its own, and one for each line where all answers are alike. Elsewhere
    it is the number of answers times their variance as if they were independent over their variance by lines, at most
    that number, and less for few lines: the effective sample size of Korn and Graubard, "Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data", Survey Methodology 24 (1998).
    Student's interval is too narrow near 0 and 1. 0 for different answers of one line.
    """
    values, lines = [part.total for part in parts], _by_line(parts)
    if not all(value in known for value in values):
        return 0
    if len(lines) == len(values) or len({*values}) == 1:
        return len(lines)
    if len(lines) == 1:
        return 0
    between, alone = _variance(lines), _variance([Part(at, value) for at, value in enumerate(values)])
    most = (1 + CONFIDENCE) / 2
    few = t_quantile(most, len(values) - 1) / t_quantile(most, len(lines) - 1)
    return len(values) * few**2 * (min(1.0, alone / between) if between else 1.0)


def exponential(logarithm: Interval | None) -> Interval | None:
    """e to the ``logarithm`` and to the ends of its interval."""
    if logarithm is None:
        return None
    low, high = (None if end is None else math.exp(min(end, _LARGEST)) for end in (logarithm.low, logarithm.high))
    return replace(logarithm, estimate=math.exp(logarithm.estimate), low=low, high=high)


def _within(found: Interval | None, least: float, most: float) -> Interval | None:
    if found is None or found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, least), high=min(found.high, most))


def p_value_over_lines(parts: Iterable[Part]) -> float:
    """The p value of :func:`mcnemar_exact` over lines: a line counts for the model with more right answers in it.

    Args:
        parts: the differences of two models, second less first.
    """
    lines: dict[Hashable, float] = {}
    for part in parts:
        lines[part.line] = lines.get(part.line, 0.0) + part.total
    return mcnemar_exact(sum(total < 0 for total in lines.values()), sum(total > 0 for total in lines.values()))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided p value of McNemar's exact test: a fair coin thrown once for each question that one got right.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947), with the binomial distribution in place of its approximation. 1 when there is none.
    """
    throws = only_first + only_second
    if throws == 0:
        return 1.0
    tail = sum(math.comb(throws, heads) for heads in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << throws))


def difference_interval(
    only_first: float, only_second: float, items: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Where the true difference of two paired shares is, second less first, with this ``confidence``.

    Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine
    24 (2005): Wald's interval after one half is added to each of the four counts.
    """
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    count, gains, losses = items + 2, only_second + 0.5, only_first + 0.5
    middle = (gains - losses) / count
    half = z * math.sqrt(gains + losses - (gains - losses) ** 2 / count) / count
    return max(-1.0, middle - half), min(1.0, middle + half)
