"""The table of an evaluation: no width leaves out how sure a number is, and no ratio is rounded to nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from phicli.bench.evaluation.result import Paired
from phicli.records.statistics import Interval
from phicli.ui.bench import evaluation, expected_answers
from phicli.ui.canvas import Canvas
from phicli.ui.tables import fitted
from tests.ui.test_terminal import screen, shown


def between(estimate: float, low: float | None, high: float | None) -> Interval:
    return Interval(estimate, low, high, 0.95, "of the test")


def model(*, talks: bool) -> Any:
    return SimpleNamespace(
        label="tiny-phi:f16+my-own-adapter", right=97, answered=100, failed=0, cut=0, wall_s=2.0, generated_tps=1234.0,
        has_talks=talks, accuracy=between(0.97, 0.915, 1.0), f1=between(0.985, 0.912, 1.0) if talks else None,
        perplexity=between(38645.1, 8467.3, 1.76e5) if talks else None,
    )  # fmt: skip


@pytest.mark.parametrize("talks", [True, False])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_intervals_are_there_at_every_width(width: int, talks: bool) -> None:
    one, terminal = model(talks=talks), screen()
    canvas = Canvas(terminal, width=width)
    canvas.paint([fitted(canvas, evaluation._layouts([one]), [evaluation._row(one)])])
    lines = shown(terminal.stdout).splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(lines).replace("(", " ").replace(")", " ").split()
    for number in ("97.0%", "91.5%", "100.0%", *(("0.985", "0.912", "1.000", "38645.1", "1.76e+05") if talks else ())):
        assert number in words


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (between(4.17e-5, 8.41e-6, 2.06e-4), "4.17e-05 times as high (8.41e-06 to 0.000206)"),
        (between(0.0312, 0.00123, 0.789), "0.0312 times as high (0.00123 to 0.789)"),
        (between(0.872, 0.612, 1.243), "0.872 times as high (0.612 to 1.243); no clear difference"),
        (between(31.5, None, None), "31.500 times as high; one line is too few to know how sure that is"),
    ],
)
def test_a_small_ratio_keeps_its_digits(ratio: Interval, said: str) -> None:
    pair = Paired("a", "b", 10, 0, 2, 0.2, -0.1, 0.4, 0.5, 0.95, perplexity_ratio=ratio)
    (line,) = expected_answers.difference_lines(pair)
    assert line == f"b compared with a: the perplexity of the expected answers is {said}"
