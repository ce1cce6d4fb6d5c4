"""The search for the best settings, on a machine that is a formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from phicli.bench.tuning.search import Search
from phicli.bench.tuning.space import Space, threads_to_try, values_to_try
from phicli.bench.tuning.types import SearchOutcome
from phicli.engine.settings import EngineSettings
from phicli.errors import EngineError
from phicli.records.tuned import BATCH, CONVERSATION, ONE_ANSWER, USES
from tests.fakes.tunable_machine import TunableMachine

CORES = 2


def repacking(settings: EngineSettings) -> float:
    return 0.8 if settings.repack else 1.0


def slow_start(settings: EngineSettings) -> float:
    return 3.5 if settings.repack else 1.0


def space(*, fits: Callable[[str, EngineSettings], bool] = lambda use, settings: True, **given: Any) -> Space:
    values = values_to_try(CORES, CORES, longest_prompt=700, repackable=True, given=given)
    return Space(EngineSettings.for_cores(CORES), values, fits)


def searched(machine: TunableMachine, where: Space | None = None, *, budget_s: float = 1e9) -> SearchOutcome:
    return Search(where or space(), machine, budget_s=budget_s, clock=machine.clock).run()


def changed(found: SearchOutcome) -> dict[str, EngineSettings]:
    return {use: one.winner for use, one in found.results.items() if one.winner != one.default}


def test_where_nothing_is_faster_the_defaults_stay() -> None:
    found = searched(TunableMachine())
    assert changed(found) == {}
    assert all((one.ratio, one.low, one.high) == (1, 1, 1) for one in found.results.values())
    assert found.skipped == ()


def test_repacking_is_decided_for_each_use() -> None:
    found = searched(TunableMachine(decode=repacking, batched=repacking, start=slow_start))
    assert not found.results[ONE_ANSWER].winner.repack  # 4.3 s more to start, 3.0 s less to answer
    assert found.results[CONVERSATION].winner.repack
    found = searched(TunableMachine(decode=lambda one: repacking(one) ** 4, start=slow_start))
    assert found.results[ONE_ANSWER].winner.repack
    one = found.results[ONE_ANSWER]
    assert one.default_ms is not None
    assert one.winner_ms is not None
    assert one.ratio == pytest.approx(one.default_ms / one.winner_ms)
    assert one.default_ms == pytest.approx(1700 + 48 * 30 + 150 * 100)


def test_one_duel_over_repacking_tells_about_all_uses() -> None:
    machine = TunableMachine(decode=repacking, batched=repacking, start=slow_start)
    (duel,) = (step for step in searched(machine).steps if step.value == "repacking on")
    assert {one.use: len(one.rounds) for one in duel.compared} == dict.fromkeys(USES, 3)
    fresh = [settings.repack for settings, job in machine.asked if job.fresh]
    assert fresh == [False, True] * (len(fresh) // 2)  # interleaved, each round started anew


def test_fewer_threads_win_for_everybody_and_a_clear_loser_is_tried_once() -> None:
    machine = TunableMachine(decode=lambda one: 0.7 if one.threads == 1 else 1.0)
    found = searched(machine)
    assert {use: one.threads for use, one in changed(found).items()} == {ONE_ANSWER: 1, CONVERSATION: 1}
    assert found.results[BATCH].winner.threads == CORES  # nothing that it does became faster

    def slower(one: EngineSettings) -> float:
        return 2.0 if one.threads == 1 else 1.0

    machine = TunableMachine(decode=slower, batched=slower)
    assert changed(searched(machine)) == {}
    assert [settings.threads for settings, _ in machine.asked].count(1) == 1


def rounds_of(machine: TunableMachine) -> list[tuple[EngineSettings, EngineSettings]]:
    """What was measured, two by two."""
    settings = [one for one, _ in machine.asked]
    return list(zip(settings[::2], settings[1::2], strict=True))


def differing(left: EngineSettings, right: EngineSettings) -> list[str]:
    mine, other = left.to_data(), right.to_data()
    return [name for name in mine if mine[name] != other[name]]


def test_the_rounds_of_a_duel_are_interleaved() -> None:
    machine = TunableMachine(decode=lambda one: 0.95 if one.threads == 1 else 1.0)
    searched(machine)
    rounds = rounds_of(machine)
    assert all(len(differing(left, right)) == 1 for left, right in rounds)
    order = [differing(left, right)[0] for left, right in rounds]
    assert list(dict.fromkeys(order)) == ["repack", "threads", "batch_tokens", "flash_attention", "kv_type"]
    assert order.count("threads") >= 3


def all_faster(settings: EngineSettings) -> float:
    return 0.8 if settings.threads == 1 else 1.0


@pytest.mark.parametrize(("noise", "most"), [(0.02, 0.02), (0.05, 0.08)])
def test_noise_alone_seldom_wins(noise: float, most: float) -> None:
    """Among five values that make no difference. The seeds are fixed."""
    wrong = sum(bool(changed(searched(TunableMachine(noise=noise, seed=seed)))) for seed in range(100))
    assert wrong <= 100 * most


@pytest.mark.parametrize(("noise", "least"), [(0.02, 0.97), (0.05, 0.8)])
def test_a_real_gain_is_mostly_found(noise: float, least: float) -> None:
    found = [
        searched(TunableMachine(prefill=all_faster, decode=all_faster, noise=noise, seed=seed)) for seed in range(100)
    ]
    ratios = [one.ratio for result in found if (one := result.results[CONVERSATION]).winner.threads == 1]
    assert len(ratios) >= 100 * least
    assert sum(ratios) / len(ratios) == pytest.approx(1.25, rel=0.03)  # told as it is, not as the luckiest rounds were


def test_a_large_micro_batch_has_to_read_a_tenth_faster_for_a_chat() -> None:
    def read(gain: float) -> Callable[[EngineSettings], float]:
        return lambda one: 1 / gain if one.batch_tokens >= 256 else 1.0

    found = searched(TunableMachine(prefill=read(1.08), batched=lambda _: 0.2))
    assert {use: one.batch_tokens for use, one in changed(found).items()} == {BATCH: 256}
    found = searched(TunableMachine(prefill=read(1.2)))
    assert {one.winner.batch_tokens for one in found.results.values()} == {256}


def test_the_next_larger_micro_batch_is_tried_where_the_one_before_won() -> None:
    machine = TunableMachine()
    searched(machine)
    assert max(settings.batch_tokens for settings, _ in machine.asked) == 256
    machine = TunableMachine(prefill=lambda one: 128 / one.batch_tokens)
    assert {one.winner.batch_tokens for one in searched(machine).results.values()} == {512}


def test_a_quantised_cache_is_noted_and_never_taken() -> None:
    found = searched(TunableMachine(decode=lambda one: 0.5 if one.kv_type == "q8_0" else 1.0))
    assert changed(found) == {}
    noted = [one.verdict for step in found.steps if step.setting == "kv_type" for one in step.compared]
    assert noted.count("noted") >= 1
    assert "won" not in noted


def test_what_does_not_fit_is_not_measured() -> None:
    machine = TunableMachine(decode=repacking)
    found = searched(machine, space(fits=lambda use, settings: not settings.repack))
    assert not any(settings.repack for settings, _ in machine.asked)
    assert "repacking on: does not fit into memory" in found.skipped
    start = found.results[ONE_ANSWER].default_ms
    assert start is not None
    assert start > 1700 + 15_000  # the start was measured all the same


def test_the_budget_is_kept_and_what_was_left_out_is_said() -> None:
    machine = TunableMachine(start=slow_start)
    found = searched(machine, budget_s=60)
    assert machine.now_s <= 60
    assert found.complete
    assert [words for words in found.skipped if words.endswith("out of time")][-1].startswith("KV cache type")
    plenty = TunableMachine(start=slow_start)
    assert searched(plenty, budget_s=180).skipped == ()
    assert plenty.now_s <= 180


def test_the_first_duel_takes_place_whatever_the_budget() -> None:
    machine = TunableMachine(decode=lambda one: repacking(one) ** 4, batched=repacking, start=slow_start)
    found = searched(machine, budget_s=0)
    assert found.results[ONE_ANSWER].winner.repack
    assert len(found.skipped) >= 3


def test_winners_of_several_steps_are_measured_against_the_default_itself() -> None:
    def both(one: EngineSettings) -> float:
        return (0.8 if one.threads == 1 else 1.0) * (0.8 if one.flash_attention == "off" else 1.0)

    found = searched(TunableMachine(prefill=both, decode=both))
    winner = found.results[CONVERSATION]
    assert (winner.winner.threads, winner.winner.flash_attention) == (1, "off")
    assert winner.ratio == pytest.approx(1 / 0.64)
    assert "all" in {step.setting for step in found.steps}


def test_winners_that_do_not_win_together_are_dropped() -> None:
    def both(one: EngineSettings) -> float:
        return (0.8 if one.threads == 1 else 1.0) * (0.8 if one.flash_attention == "off" else 1.0)

    whole = TunableMachine(prefill=both, decode=both)
    searched(whole)
    confirming = next(place for place, pair in enumerate(rounds_of(whole)) if len(differing(*pair)) > 1)
    assert confirming > 5
    machine = TunableMachine(prefill=both, decode=both, changes_after=2 * confirming)
    assert changed(searched(machine)) == {}


def test_an_interruption_keeps_what_was_decided_and_nothing_half_decided() -> None:
    def faster(one: EngineSettings) -> float:
        return 0.5 if one.threads == 1 else 1.0

    whole = TunableMachine(decode=faster, prefill=faster)
    searched(whole)
    at = next(place for place, (settings, _) in enumerate(whole.asked, 1) if settings.threads == 1)
    machine = TunableMachine(decode=faster, prefill=faster, interrupted_at=at)
    search = Search(space(), machine, clock=machine.clock)
    with pytest.raises(KeyboardInterrupt):
        search.run()
    found = search.outcome(complete=False)
    assert (found.complete, changed(found)) == (False, {})
    assert {step.setting for step in found.steps} == {"repack"}
    assert len(found.trials) == at - 1
    assert set(found.results) == set(USES)


def test_a_duel_that_is_interrupted_is_shown_as_undecided() -> None:
    def a_little_faster(one: EngineSettings) -> float:
        return 0.95 if one.threads == 1 else 1.0

    whole = TunableMachine(decode=a_little_faster)
    searched(whole)
    second = [place for place, (settings, _) in enumerate(whole.asked, 1) if settings.threads == 1][1]
    machine = TunableMachine(decode=a_little_faster, interrupted_at=second)
    search = Search(space(), machine, clock=machine.clock)
    with pytest.raises(KeyboardInterrupt):
        search.run()
    found = search.outcome(complete=False)
    last = found.steps[-1]
    assert (last.setting, last.value) == ("threads", "threads 1")
    assert {(one.verdict, len(one.rounds)) for one in last.compared} == {("undecided", 1)}
    assert changed(found) == {}


def test_a_winner_with_which_the_engine_fails_in_the_end_is_none() -> None:
    def faster(one: EngineSettings) -> float:
        return 0.5 if one.threads == 1 else 1.0

    def also_repacked(one: EngineSettings) -> float:
        return faster(one) * repacking(one)

    whole = TunableMachine(decode=also_repacked, prefill=faster, start=slow_start)
    assert {use: one.repack for use, one in changed(searched(whole)).items()} == {
        ONE_ANSWER: False, CONVERSATION: True, BATCH: False,
    }  # fmt: skip
    machine = TunableMachine(
        decode=also_repacked, prefill=faster, start=slow_start,
        fails=lambda one: one.threads == 1 and len(machine.asked) > len(whole.asked) - 2,
    )  # fmt: skip
    found = searched(machine)
    assert (found.complete, set(changed(found))) == (True, {ONE_ANSWER, BATCH})
    assert found.skipped == ("all faster settings, again: the engine could not load the model",)


def test_settings_with_which_the_engine_fails_are_ruled_out() -> None:
    found = searched(TunableMachine(fails=lambda one: one.flash_attention == "off"))
    assert found.skipped == ("flash attention off: the engine could not load the model",)
    assert "kv_type" in {step.setting for step in found.steps}
    with pytest.raises(EngineError):
        searched(TunableMachine(fails=lambda one: one.threads == CORES))


def test_progress_is_told_with_the_time_left() -> None:
    told: list[tuple[str, float]] = []
    machine = TunableMachine()
    Search(space(), machine, budget_s=180, clock=machine.clock, on_step=lambda *step: told.append(step)).run()
    assert told[0] == ("repacking on against off, round 1", 180)
    assert [left for _, left in told] == sorted((left for _, left in told), reverse=True)


@pytest.mark.parametrize(
    ("cores", "logical", "expected"),
    [(1, 1, ()), (1, 2, (2,)), (2, 2, (1,)), (4, 8, (3, 2, 8)), (8, 8, (7, 4)), (2, 64, (1,))],
)
def test_threads_to_try(cores: int, logical: int, expected: tuple[int, ...]) -> None:
    assert threads_to_try(cores, logical) == expected
