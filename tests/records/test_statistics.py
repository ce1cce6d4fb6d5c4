"""Intervals against published tables and against SciPy 1.17.1, whose calls stand beside the values."""

from __future__ import annotations

import itertools
import math

import pytest

from phicli.records.statistics import (
    Summary,
    interval_of_mean,
    percentile,
    ratio_interval,
    summary,
    t_quantile,
    wilson_interval,
)

OURS = [9.81, 9.74, 9.92, 9.66, 9.85]
THEIRS = [10.2, 10.31, 10.15, 10.4, 10.22]

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, "Critical values of the Student's t distribution".
PUBLISHED_T = {
    (0.95, 1): 6.314, (0.95, 5): 2.015, (0.95, 10): 1.812, (0.975, 1): 12.706, (0.975, 2): 4.303, (0.975, 3): 3.182,
    (0.975, 4): 2.776, (0.975, 5): 2.571, (0.975, 10): 2.228, (0.975, 30): 2.042, (0.975, 100): 1.984,
    (0.99, 7): 2.998, (0.995, 1): 63.657, (0.995, 4): 4.604, (0.995, 20): 2.845,
}  # fmt: skip
# scipy.stats.t.ppf(probability, freedom)
SCIPY_T = {
    (0.9, 1): 3.0776835372, (0.9, 2.7): 1.6881081751, (0.9, 1000): 1.2823987215, (0.975, 1): 12.7062047362,
    (0.975, 2): 4.3026527297, (0.975, 2.7): 3.3921483832, (0.975, 4): 2.7764451052, (0.975, 4.31): 2.6994340359,
    (0.975, 9): 2.2621571628, (0.975, 30): 2.0422724563, (0.975, 1000): 1.9623390808, (0.995, 4.31): 4.3856290133,
    (0.9995, 1): 636.6192487688, (0.9995, 4): 8.6103015814, (0.9995, 1000): 3.3002826484,
}  # fmt: skip


@pytest.mark.parametrize(("place", "value"), PUBLISHED_T.items(), ids=str)
def test_quantiles_of_t_are_those_of_the_table(place: tuple[float, float], value: float) -> None:
    assert round(t_quantile(*place), 3) == value


@pytest.mark.parametrize(("place", "value"), SCIPY_T.items(), ids=str)
def test_quantiles_of_t_are_those_of_scipy(place: tuple[float, float], value: float) -> None:
    assert t_quantile(*place) == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.99, 0.9999])
def test_quantiles_of_t_where_there_are_closed_forms(probability: float) -> None:
    """Cauchy's distribution for one degree of freedom, and Hill's formula for two."""
    assert t_quantile(probability, 1) == pytest.approx(math.tan(math.pi * (probability - 0.5)), abs=1e-12, rel=1e-9)
    two = (2 * probability - 1) * math.sqrt(2 / (4 * probability * (1 - probability)))
    assert t_quantile(probability, 2) == pytest.approx(two, abs=1e-12, rel=1e-9)


def test_quantiles_of_t_are_symmetric_and_grow() -> None:
    assert t_quantile(0.025, 4) == -t_quantile(0.975, 4)
    assert t_quantile(0.975, 1e7) == pytest.approx(1.959964, abs=1e-5)
    found = [t_quantile(share, 3.5) for share in (0.01, 0.2, 0.5, 0.50001, 0.7, 0.99)]
    assert all(low < high for low, high in itertools.pairwise(found))


@pytest.mark.parametrize(("probability", "freedom"), [(0, 4), (1, 4), (math.nan, 4), (0.9, 0), (0.9, math.nan)])
def test_quantiles_of_t_that_do_not_exist(probability: float, freedom: float) -> None:
    with pytest.raises(ValueError, match="quantile of t"):
        t_quantile(probability, freedom)


def test_the_interval_of_a_mean() -> None:
    found = interval_of_mean(OURS)
    assert found is not None
    assert found.estimate == pytest.approx(9.796)
    # scipy.stats.t.interval(.95, 4, loc=mean, scale=scipy.stats.sem(OURS))
    assert (found.low, found.high) == pytest.approx((9.671647490057953, 9.920352509942045), rel=1e-12)
    wide = interval_of_mean(OURS, 0.99)
    assert wide is not None
    # scipy.stats.ttest_1samp(OURS, 0).confidence_interval(.99)
    assert (wide.low, wide.high) == pytest.approx((9.589789997075096, 10.002210002924903), rel=1e-12)


def test_means_of_little() -> None:
    assert summary([]) is interval_of_mean([]) is None
    assert summary([3.0]) == Summary(3.0, 0.0, 1)
    one = interval_of_mean([3.0])
    assert one is not None
    assert (one.estimate, one.low, one.high) == (3.0, None, None)
    same = interval_of_mean([3.0, 3.0, 3.0])
    assert same is not None
    assert (same.estimate, same.low, same.high) == (3.0, 3.0, 3.0)


def test_the_ratio_of_repetitions_in_turn() -> None:
    found = ratio_interval(OURS, THEIRS)
    assert found is not None
    # scipy.stats.ttest_rel(numpy.log(OURS), numpy.log(THEIRS)).confidence_interval(.95), as powers of e
    expected = (0.955143832629643, 0.9320310980768169, 0.9788297224126021)
    assert (found.estimate, found.low, found.high) == pytest.approx(expected, rel=1e-12)
    assert "paired" in found.method


def test_the_ratio_of_repetitions_at_different_times() -> None:
    found = ratio_interval(OURS, THEIRS, paired=False)
    assert found is not None
    # scipy.stats.ttest_ind(numpy.log(OURS), numpy.log(THEIRS), equal_var=False).confidence_interval(.95)
    assert (found.low, found.high) == pytest.approx((0.9413834472615281, 0.9691053562332237), rel=1e-12)
    fewer = ratio_interval(OURS, [10.2, 10.9, 10.15])
    assert fewer is not None
    expected = (0.9408773808656715, 0.8564471960241002, 1.0336308530569762)
    assert (fewer.estimate, fewer.low, fewer.high) == pytest.approx(expected, rel=1e-12)
    assert found.method == fewer.method == "Welch's t of the logs"


def test_what_slows_both_down_cancels_out_in_pairs() -> None:
    drift = [1.0, 0.8, 1.1, 0.7, 0.9]
    ours, theirs = [10 * part for part in drift], [20 * part for part in drift]
    pairs, apart = ratio_interval(ours, theirs), ratio_interval(ours, theirs, paired=False)
    assert pairs is not None
    assert apart is not None
    assert (pairs.estimate, pairs.low, pairs.high) == pytest.approx((0.5, 0.5, 0.5))
    assert apart.low is not None
    assert apart.low < 0.45


def test_ratios_the_other_way_round_are_the_reciprocals() -> None:
    for paired in (True, False):
        there, back = ratio_interval(OURS, THEIRS, paired=paired), ratio_interval(THEIRS, OURS, paired=paired)
        assert there is not None
        assert back is not None
        assert there.low is not None
        assert there.estimate * back.estimate == pytest.approx(1)
        assert back.high == pytest.approx(1 / there.low)


def test_ratios_of_little() -> None:
    assert ratio_interval([], [1.0]) is ratio_interval([1.0], []) is None
    for theirs in ([4.0], [4.0, 4.0, 4.0]):
        one = ratio_interval([2.0], theirs)
        assert one is not None
        assert (one.estimate, one.low, one.high) == (pytest.approx(0.5), None, None)
    same = ratio_interval([2.0, 2.0], [4.0, 4.0, 4.0])
    assert same is not None
    assert (same.estimate, same.low, same.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_no_ratio_of_what_is_no_rate(bad: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        ratio_interval([1.0, bad], [1.0, 1.0])
    with pytest.raises(ValueError, match="above 0"):
        ratio_interval([1.0, 1.0], [bad])


def test_pairs_need_partners() -> None:
    with pytest.raises(ValueError, match="pairs"):
        ratio_interval([1.0, 2.0], [1.0], paired=True)


# scipy.stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
SCIPY_WILSON = {
    (8, 10, 0.95): (0.4901624715366418, 0.9433178485456247),
    (0, 10, 0.95): (0.0, 0.27753279986288926),
    (10, 10, 0.95): (0.7224672001371109, 1.0),
    (41, 50, 0.95): (0.6920394632569922, 0.9022980732976582),
    (41, 50, 0.99): (0.6457741774434541, 0.919248483857264),
    (1, 3, 0.9): (0.07826572633372841, 0.7464661317187758),
}


@pytest.mark.parametrize(("asked", "ends"), SCIPY_WILSON.items(), ids=str)
def test_the_interval_of_a_share(asked: tuple[int, int, float], ends: tuple[float, float]) -> None:
    found = wilson_interval(*asked)
    assert found is not None
    assert found.estimate == asked[0] / asked[1]
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_shares_of_nothing() -> None:
    assert wilson_interval(0, 0) is None
    for successes, trials in ((-1, 5), (6, 5), (1, 0)):
        with pytest.raises(ValueError, match="not a share"):
            wilson_interval(successes, trials)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        interval_of_mean(OURS, confidence)
    with pytest.raises(ValueError, match="confidence"):
        ratio_interval(OURS, THEIRS, confidence)
    with pytest.raises(ValueError, match="confidence"):
        wilson_interval(1, 2, confidence)


@pytest.mark.parametrize(("percent", "value"), [(0, 15), (5, 16), (30, 23), (40, 29), (50, 35), (95, 48), (100, 50)])
def test_percentiles_are_those_of_numpy(percent: float, value: float) -> None:
    """``numpy.percentile([15, 20, 35, 40, 50], percent)``; the order of the values does not matter."""
    assert percentile([50, 15, 35, 20, 40], percent) == pytest.approx(value)


def test_percentiles_of_little() -> None:
    assert percentile([7.0], 0) == percentile([7.0], 33) == percentile([7.0], 100) == 7
    for values, percent in (([], 50), ([1.0], -1), ([1.0], 101), ([1.0], math.nan)):
        with pytest.raises(ValueError, match="percentile"):
            percentile(values, percent)
