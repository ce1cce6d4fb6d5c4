from __future__ import annotations

import pytest

from phicli.bench.calibration.timing import Timed
from tests.fakes.clocked_engine import Clock, ClockedEngine

CLOCK = Clock(layer=2.0, fixed=10.0, attention=0.5, prefill=1.0, prefill_fixed=7.0)


def timed() -> tuple[Timed, ClockedEngine]:
    engine = ClockedEngine(3, CLOCK)
    return Timed(engine), engine


def test_the_first_token_is_not_counted() -> None:
    """The engine's clock starts when it is there."""
    time, engine = timed()
    assert time.decode_ms(100, tokens=4) == pytest.approx(engine.token_ms(100))
    assert time.decode_ms(100, tokens=1) == pytest.approx(engine.token_ms(100))


def test_a_prompt_is_read_in_the_time_it_takes() -> None:
    time, _ = timed()
    assert time.prefill_ms(100) == pytest.approx(7 + 100 * 3)


def test_a_longer_prompt_goes_on_where_the_shorter_one_ended() -> None:
    time, _ = timed()
    time.prefill_ms(100)
    assert time.prefill_ms(150) == pytest.approx(7 + 50 * 3)


def test_another_turn_is_another_prompt() -> None:
    time, _ = timed()
    time.prefill_ms(100, turn=0)
    assert time.prefill_ms(100, turn=1) == pytest.approx(7 + 100 * 3)


def test_decoding_in_between_leaves_nothing_of_a_prompt() -> None:
    time, _ = timed()
    time.decode_ms()
    assert time.prefill_ms(100) == pytest.approx(7 + 100 * 3)
