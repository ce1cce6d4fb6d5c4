"""When a challenger has won."""

from __future__ import annotations

import pytest

from phicli.bench.tuning.verdict import LOST, OPEN, WIDE_MARGIN, WON, interval, verdict


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([], OPEN),
        ([0.9], LOST),
        ([0.96], OPEN),
        ([5.0], OPEN),  # one round never wins
        ([1.2, 0.8], LOST),
        ([1.02, 1.02], LOST),  # no more than 3 %
        ([1.2, 1.15], WON),
        ([1.2, 1.05], OPEN),
        ([1.05, 1.04, 1.06], WON),  # every round
        ([1.08, 1.02, 1.03], OPEN),
        ([1.5, 1.0, 1.0], OPEN),
        ([1.5, 1.0, 1.0, 1.0], LOST),  # one slow moment of the other side
        ([1.05, 1.05, 1.02, 1.05], WON),  # not every round, but the interval excludes 1
    ],
)
def test_verdict(ratios: list[float], expected: str) -> None:
    assert verdict(ratios) == expected


def test_a_wide_margin_has_to_be_reached() -> None:
    assert verdict([1.08, 1.08], WIDE_MARGIN) == LOST
    assert verdict([1.12, 1.13], WIDE_MARGIN) == WON
    assert verdict([1.01], WIDE_MARGIN) == LOST


def test_the_interval_is_that_of_the_paired_log_ratios() -> None:
    found = interval([1.1, 1.1 * 1.1, 1.1 * 1.1 * 1.1])
    assert found.estimate == pytest.approx(1.21)
    half = 4.302653 * 0.0953102 / 3**0.5  # t of 2 degrees of freedom; the logs are log(1.1) apart
    assert found.low == pytest.approx(1.21 * 2.718281828**-half, rel=1e-6)
    assert interval([1.2]).low is None
