"""How long the hub asks to wait."""

from __future__ import annotations

import pytest

from phicli.hub.download.failures import of_answer


@pytest.mark.parametrize(
    ("asked", "wait_s"), [("2", 2.0), ("-5", 0.0), ("soon", None), ("", None), (None, None), ("Wed, 21 Oct 2026", None)]
)
def test_a_number_of_seconds_counts_and_nothing_else(asked: str | None, wait_s: float | None) -> None:
    error = of_answer(429, asked)
    assert error is not None
    assert error.wait_s == wait_s


@pytest.mark.parametrize("asked", ["inf", "1e400", "nan", "999999999"])
def test_a_number_that_nobody_can_wait_for_is_a_long_wait(asked: str) -> None:
    error, longest = of_answer(503, asked), of_answer(503, "1e9")
    assert error is not None
    assert longest is not None
    assert error.wait_s == longest.wait_s
    assert 0 < (error.wait_s or 0) < 1e6
