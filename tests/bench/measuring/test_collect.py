from __future__ import annotations

import pytest

from phicli.bench.launch import BuildChangedError
from phicli.bench.measuring.bench_plan import BenchPlan, planned_runs
from phicli.bench.measuring.collect import Collected, Progress, collect
from phicli.bench.measuring.energy import EnergyMeter
from phicli.errors import EngineError, UserInterruptError
from phicli.records.run import Workload
from tests.fakes.bench_engines import LabEngine, Laboratory, around, load

USUAL = (Workload(64, 8, 0),)
WARM_UP = 4
"""Requests before anything counts: the cold prompt, a prompt, what generating goes on from, and some tokens."""


def no_energy(*, gpu: bool = False) -> EnergyMeter:
    return EnergyMeter()


def measured(plan: BenchPlan, laboratory: Laboratory | None = None, steps: list[Progress] | None = None) -> Collected:
    laboratory = laboratory or Laboratory()
    on_step = None if steps is None else steps.append
    return collect(plan, around(), launch=laboratory.launch, open_energy=no_energy, on_step=on_step)


def test_one_model() -> None:
    laboratory = Laboratory()
    plan = BenchPlan((load(threads=3),), (Workload(100, 16, 0), Workload(0, 16, 500)), 5)
    outcome = measured(plan, laboratory)
    assert outcome.failure is None
    first, second = outcome.runs
    engine = LabEngine(Laboratory(), "x", 3, 2048)
    assert first.decode_tps is not None
    assert first.decode_tps.mean == pytest.approx(1000 / engine.token_ms(1))
    assert second.decode_tps is not None
    assert second.decode_tps.mean == pytest.approx(1000 / engine.token_ms(500))
    assert first.prompt_tps is not None
    assert first.prompt_tps.mean == pytest.approx(1000 * 100 / 307)
    assert second.prompt_tps is None
    assert len(first.samples) == len(second.samples) == 5
    assert (first.complete, second.complete) == (True, True)
    assert first.subject.build == "clocked 1.0"
    assert first.load_ms == 1.0
    assert first.cold_ttft_ms is not None
    assert first.cold_ttft_ms > first.load_ms
    assert first.extra["schedule"] == "alone"
    assert laboratory.started == ["phi-4-mini/3"]
    assert first.run_id != second.run_id


def test_engines_that_fit_together_take_turns() -> None:
    laboratory = Laboratory()
    outcome = measured(BenchPlan((load(threads=1), load(threads=2)), USUAL, 3), laboratory)
    assert laboratory.most_loaded == 2
    counted = laboratory.counted(2 * WARM_UP)
    assert counted[:6] == ["phi-4-mini/1", "phi-4-mini/2"] * 3
    assert [run.extra["schedule"] for run in outcome.runs] == ["interleaved"] * 2
    rates = [run.decode_tps.mean for run in outcome.runs if run.decode_tps]
    assert rates[0] > rates[1]


def test_engines_that_do_not_fit_together_are_restarted_in_turn() -> None:
    laboratory = Laboratory()
    outcome = measured(BenchPlan((load("a"), load("b")), USUAL, 5, together=False), laboratory)
    assert laboratory.most_loaded == 1
    assert laboratory.started == ["a/2", "b/2", "a/2", "b/2"]
    assert [len(run.samples) for run in outcome.runs] == [5, 5]
    assert {run.extra["schedule"] for run in outcome.runs} == {"blocks"}


def test_a_load_that_comes_back_as_another_build_ends_the_run() -> None:
    laboratory = Laboratory(builds=["native", "wheel", "wheel", "wheel"])
    outcome = measured(BenchPlan((load("a"), load("b")), USUAL, 5, together=False), laboratory)
    assert isinstance(outcome.failure, BuildChangedError)
    assert outcome.failure.message == "the engine is wheel now, but was native when the measurement began"
    assert [(run.subject.build, run.complete) for run in outcome.runs] == [("native", False), ("wheel", False)]


def test_an_interruption_leaves_what_was_finished() -> None:
    """The seventh counted request is the first that generates with what was read before."""
    laboratory = Laboratory(interrupts_at=WARM_UP + 3 + 1 + 2)
    outcome = measured(BenchPlan((load(),), USUAL, 3), laboratory)
    assert isinstance(outcome.failure, UserInterruptError)
    assert outcome.failure.hint == "the measurements made so far are shown"
    (run,) = outcome.runs
    assert not run.complete
    assert [sample.prompt_ms is None for sample in run.samples] == [False] * 3
    assert [sample.decode_ms is None for sample in run.samples] == [False, True, True]
    assert laboratory.loaded == []


def test_an_interruption_before_anything_was_measured() -> None:
    outcome = measured(BenchPlan((load(),), USUAL, 3), Laboratory(interrupts_at=2))
    assert outcome.runs == ()
    assert isinstance(outcome.failure, UserInterruptError)
    assert (outcome.failure.message, outcome.failure.hint) == ("interrupted before anything was measured", "")


def test_what_is_planned_is_what_is_measured() -> None:
    plan = BenchPlan((load("a"), load("b", threads=1)), (Workload(64, 8, 0), Workload(0, 8, 100)), 3)
    planned = planned_runs(plan, around())
    facts = [(run.subject.model, run.settings, run.workload, run.context_tokens, run.hardware) for run in planned]
    outcome = measured(plan)
    assert facts == [
        (run.subject.model, run.settings, run.workload, run.context_tokens, run.hardware) for run in outcome.runs
    ]
    assert {(run.run_id, run.samples, run.subject.build, run.extra["repeat"]) for run in planned} == {("", (), "", 3)}


def test_an_engine_that_dies_leaves_what_was_measured() -> None:
    failure = EngineError("the engine died")
    laboratory = Laboratory(fails_at=2 * WARM_UP + 4, failure=failure)
    outcome = measured(BenchPlan((load("a"), load("b")), USUAL, 2), laboratory)
    assert outcome.failure is failure
    assert [run.subject.model for run in outcome.runs] == ["a", "b"]
    assert [run.complete for run in outcome.runs] == [False, False]


def test_a_part_that_is_left_out_is_never_asked_for() -> None:
    laboratory = Laboratory()
    outcome = measured(BenchPlan((load(),), (Workload(64, 0, 0),), 2), laboratory)
    assert {one.generated_tokens for one in laboratory.asked[WARM_UP:]} == {1}
    assert outcome.runs[0].decode_tps is None
    assert outcome.runs[0].complete


def test_steps_say_how_long_the_rest_takes() -> None:
    steps: list[Progress] = []
    measured(BenchPlan((load(threads=3),), (Workload(100, 16, 50),), 2), steps=steps)
    assert [step.text for step in steps] == [
        "loading phi-4-mini:q4_k_m",
        "warming up phi-4-mini:q4_k_m",
        "processing 100 tokens, 1 of 2: phi-4-mini:q4_k_m",
        "processing 100 tokens, 2 of 2: phi-4-mini:q4_k_m",
        "generating 16 tokens after 50, 1 of 2: phi-4-mini:q4_k_m",
        "generating 16 tokens after 50, 2 of 2: phi-4-mini:q4_k_m",
    ]
    assert steps[0].left_s is None
    assert all(step.left_s is not None for step in steps[2:])


def test_a_forecast_from_the_warm_up() -> None:
    steps: list[Progress] = []
    measured(BenchPlan((load(threads=3),), (Workload(64, 0, 0),), 4), steps=steps)
    prompt_ms = (7 + 64 * 3) / 64
    assert steps[2].left_s == pytest.approx(4 * 64 * prompt_ms / 1000)
