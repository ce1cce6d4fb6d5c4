"""Intervals of means and perplexities over lines: known values, limits, and how often they hold the truth."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from phicli.bench.evaluation.estimates import (
    Part,
    difference_over_lines,
    exponential,
    loss_per_token,
    mcnemar_exact,
    p_value_over_lines,
    ratio_of_sums,
    share_of_lines,
)
from phicli.records.statistics import Interval, interval_of_mean, wilson_interval


def ends(found: Interval | None) -> tuple[float, float, float]:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.estimate, found.low, found.high


def test_with_one_answer_a_line_it_is_the_interval_of_a_mean() -> None:
    values = [0.2, 0.9, 0.4, 0.7, 0.7]
    parts = [Part(line, value) for line, value in enumerate(values)]
    assert ends(ratio_of_sums(parts)) == pytest.approx(ends(interval_of_mean(values)))


def test_a_ratio_by_hand() -> None:
    """Totals 4, 9, 5 over sizes 2, 3, 1: R = 3, residuals -2, 0, 2, half = t(2) · √(3/2 · 8) / 6."""
    parts = [Part(line, total, size) for line, total, size in ((1, 4, 2), (2, 9, 3), (3, 5, 1))]
    half = 4.302652729749464 * math.sqrt(12) / 6
    assert ends(ratio_of_sums(parts)) == pytest.approx((3, 3 - half, 3 + half))


def test_answers_of_one_line_count_as_one() -> None:
    alone = [Part(line, line % 3 / 2) for line in range(12)]
    fourfold = [part for part in alone for _ in range(4)]
    assert ends(ratio_of_sums(fourfold)) == pytest.approx(ends(ratio_of_sums(alone)))


def test_nothing_and_one_line() -> None:
    assert ratio_of_sums([]) is None
    assert share_of_lines([]) is None
    assert difference_over_lines([]) is None
    assert exponential(None) is None
    found = ratio_of_sums([Part(1, 2.0, 4), Part(1, 4.0, 4)])
    assert found is not None
    assert (found.estimate, found.low, found.high) == (0.75, None, None)


def test_shares_that_are_all_alike_have_an_interval() -> None:
    parts = [Part(line, 1.0) for line in range(10)]
    assert share_of_lines(parts) == wilson_interval(10, 10)
    equal = difference_over_lines([Part(line, 0.0) for line in range(10)])
    assert -0.3 < ends(equal)[1] < -0.1 < 0.1 < ends(equal)[2] < 0.3


def test_answers_of_a_line_that_are_all_alike_say_no_more_than_one() -> None:
    alike = [Part(line, 1.0) for line in range(10) for _ in range(4)]
    assert share_of_lines(alike) == wilson_interval(10, 10)
    equal = [Part(line, 0.0) for line in range(10) for _ in range(4)]
    assert difference_over_lines(equal) == difference_over_lines(equal[::4])
    fourfold = [Part(line, float(line < 5)) for line in range(10) for _ in range(4)]
    estimate, low, high = ends(share_of_lines(fourfold))
    assert (estimate, low) == (0.5, pytest.approx(1 - high))
    assert high - low > ends(wilson_interval(5, 10))[2] - ends(wilson_interval(5, 10))[1]


def test_different_answers_of_one_line_have_no_interval() -> None:
    found = share_of_lines([Part(1, 1.0), Part(1, 0.0)])
    assert found is not None
    assert (found.estimate, found.low, found.high) == (0.5, None, None)


@pytest.mark.parametrize(("lines", "share"), [(8, 0.5), (8, 0.95), (30, 0.8)])
def test_the_intervals_of_shares_hold_the_truth_as_often_as_they_promise(lines: int, share: float) -> None:
    """Lines with one to four answers that share their difficulty. 400 rounds: the standard error is 1.1 %."""
    source, rounds, held, equal = random.Random(7), 400, 0, 0
    for _ in range(rounds):
        first, differences = [], []
        for line in range(lines):
            chance = source.betavariate(2 * share, 2 * (1 - share))
            for _ in range(source.choice((1, 1, 2, 4))):
                right, other = (float(source.random() < chance) for _ in range(2))
                first.append(Part(line, right))
                differences.append(Part(line, other - right))
        _, low, high = ends(share_of_lines(first))
        held += low <= share <= high
        _, low, high = ends(difference_over_lines(differences))
        equal += low <= 0 <= high
    assert held / rounds > 0.92
    assert equal / rounds > 0.92


def test_a_line_counts_once_for_the_model_with_more_right_answers() -> None:
    alone = [Part(line, 1.0 if line < 5 else -1.0) for line in range(6)]
    assert p_value_over_lines(alone) == mcnemar_exact(1, 5)
    assert p_value_over_lines([part for part in alone for _ in range(4)]) == mcnemar_exact(1, 5)
    assert p_value_over_lines([Part(1, 1.0), Part(1, -1.0), Part(2, 1.0)]) == 1.0
    assert p_value_over_lines([]) == 1.0


def test_intervals_stay_where_values_can_be() -> None:
    assert ends(share_of_lines([Part(1, 1.0), Part(2, 0.9), Part(3, 0.1)]))[1:] == (0.0, 1.0)
    assert ends(difference_over_lines([Part(1, -1.0), Part(2, 0.9), Part(3, 0.1)]))[1:] == (-1.0, 1.0)
    low = loss_per_token([Part(1, 0.1, 5), Part(2, 9.0, 5)])
    assert ends(low)[1] == 0.0
    assert ends(exponential(low))[1] == 1.0


def test_numbers_that_are_too_large_for_e_to_them_are_cut() -> None:
    wide = exponential(Interval(103.0, 1.0, 5000.0, 0.95, "of the test"))
    assert ends(wide)[:2] == (math.exp(103), math.e)
    assert math.isfinite(ends(wide)[2])


@pytest.mark.parametrize("lines", [10, 40])
def test_the_interval_of_a_perplexity_holds_the_truth_as_often_as_it_promises(lines: int) -> None:
    """Answers of 1 to 30 tokens that share their difficulty; each token taken as independent would be far too sure.

    500 rounds: the standard error of the share is 1 %.
    """
    source, rounds, held, naive = random.Random(3), 500, 0, 0
    for _ in range(rounds):
        parts, tokens = [], list[float]()
        for line in range(lines):
            mean = source.gammavariate(4, 0.25)  # the mean loss of a token is 1
            losses = [max(source.gauss(mean, 0.3), 0.0) for _ in range(source.randint(1, 30))]
            parts.append(Part(line, sum(losses), len(losses)))
            tokens += losses
        _, low, high = ends(ratio_of_sums(parts))
        held += low <= TRUE_MEAN <= high
        half = 1.96 * statistics.stdev(tokens) / math.sqrt(len(tokens))
        naive += abs(statistics.fmean(tokens) - TRUE_MEAN) <= half
    assert 0.90 < held / rounds < 0.98
    assert naive / rounds < 0.6


TRUE_MEAN = 1.003
"""Of the losses above: cut off at 0 they are a little more than 1."""
