from __future__ import annotations

import itertools

import pytest

from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.measure import Stopwatch, deep_ids, prompt_ids
from phicli.errors import EngineError
from phicli.records.run import Workload
from tests.fakes.bench_engines import LabEngine, Laboratory


def watch(laboratory: Laboratory | None = None, *, context_tokens: int = 2048) -> tuple[Stopwatch, LabEngine]:
    engine = LabEngine(laboratory or Laboratory(), "one", 3, context_tokens)
    return Stopwatch(engine, EnergyMeter()), engine


def test_a_prompt_takes_what_the_engine_says() -> None:
    stopwatch, _ = watch()
    assert stopwatch.read_prompt(100).prompt_ms == pytest.approx(7 + 100 * 3)


def test_no_prompt_is_known_from_an_earlier_one() -> None:
    stopwatch, _ = watch()
    assert [stopwatch.read_prompt(100).prompt_ms for _ in range(5)] == pytest.approx([307.0] * 5)


def test_a_prompt_that_the_engine_knows_is_an_error() -> None:
    """An engine with a cache of its own would tell times that are too good."""
    stopwatch, engine = watch()
    engine.cache = prompt_ids(100, 1)
    with pytest.raises(EngineError, match="99 tokens of a new prompt in its cache"):
        stopwatch.read_prompt(100)


def test_the_first_token_is_seen_from_outside() -> None:
    ticks = itertools.count(step=0.25)
    stopwatch = Stopwatch(LabEngine(Laboratory(), "one", 3, 2048), EnergyMeter(), clock=lambda: next(ticks))
    assert stopwatch.read_prompt(8).ttft_ms == pytest.approx(250)


@pytest.mark.parametrize("depth", [0, 1, 100])
def test_tokens_are_timed_without_the_first(depth: int) -> None:
    stopwatch, engine = watch()
    assert stopwatch.decode(16, depth).decode_ms == pytest.approx(16 * engine.token_ms(max(depth, 1)))


def test_what_generating_goes_on_from_is_read_once() -> None:
    laboratory = Laboratory()
    stopwatch, _ = watch(laboratory)
    for _ in range(3):
        stopwatch.decode(8, 500)
    assert [one.generated_tokens for one in laboratory.asked] == [1, 9, 9, 9]
    stopwatch.read_prompt(64)
    stopwatch.decode(8, 500)
    assert [one.generated_tokens for one in laboratory.asked[4:]] == [1, 1, 9]


def test_an_engine_that_ends_early_is_an_error() -> None:
    stopwatch, _ = watch(Laboratory(ends_after=5))
    with pytest.raises(EngineError, match="ended after 5 of 17 tokens"):
        stopwatch.decode(16)


def test_a_warm_up_asks_for_no_more_than_is_measured() -> None:
    laboratory = Laboratory()
    stopwatch, engine = watch(laboratory, context_tokens=256)
    pace = stopwatch.warm_up([Workload(40, 0, 0)])
    assert max(one.prompt_tokens for one in laboratory.asked) == 40
    assert pace.decode_ms == pytest.approx(engine.token_ms(1))
    stopwatch.warm_up([Workload(0, 4, 200)])
    assert max(one.prompt_tokens for one in laboratory.asked) == 40


class _Counter:
    """A joule each time it is looked at."""

    source = "a test"

    def __init__(self) -> None:
        self._seen = 0.0

    def joules(self) -> float | None:
        self._seen += 9.0
        return self._seen


def test_energy_is_that_of_the_tokens_that_are_timed() -> None:
    stopwatch = Stopwatch(LabEngine(Laboratory(), "one", 3, 2048), EnergyMeter([_Counter()]))
    assert stopwatch.decode(8).energy_j == pytest.approx(9.0 * 8 / 9)
    without, _ = watch()
    assert without.decode(8).energy_j is None


def test_ids_are_in_every_vocabulary_and_have_no_pattern() -> None:
    for turn in (1, 2, 389, 1000):
        ids = prompt_ids(600, turn)
        assert len(ids) == 600
        assert all(300 <= one < 900 for one in ids)
        assert len(set(ids)) > 250
        assert ids[0] != prompt_ids(600, turn + 1)[0]
        assert ids[0] != deep_ids(600)[0]
    assert deep_ids(600)[:300] == deep_ids(300)
    assert prompt_ids(1, 7) == prompt_ids(9, 7)[:1]
