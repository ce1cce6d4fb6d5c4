from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.bench.calibration.feedback import measurements_of
from phicli.bench.measuring.collect import BenchPlan, collect
from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.room import Load
from phicli.fit.calibration import Measurement
from phicli.hardware.types import Gpu
from phicli.records.run import Run, Workload
from tests.fakes.bench_engines import Laboratory, around, load

CARD = Gpu("a card", "CUDA", 1, 1, True, "a test")


def no_energy(*, gpu: bool = False) -> EnergyMeter:
    return EnergyMeter()


def measured(
    one: Load, *work: Workload, cards: tuple[Gpu, ...] = ()
) -> tuple[tuple[Run, ...], tuple[Measurement, ...]]:
    here = replace(around(), gpus=cards)
    plan = BenchPlan((one,), work or (Workload(64, 8, 0),), 3)
    runs = collect(plan, here, launch=Laboratory().launch, open_energy=no_energy).runs
    return runs, measurements_of(runs, plan.loads, here)


def test_a_usual_run_tells_the_recommendation() -> None:
    one = load(threads=2)
    (run,), (found,) = measured(one)
    assert (found.variant_id, found.quant) == ("phi-4-mini", "Q4_K_M")
    assert found.conditions.cpu == "a processor"
    assert (found.conditions.build, found.conditions.threads) == ("clocked 1.0", 2)
    assert (found.conditions.device, found.conditions.repack) == ("cpu", False)
    assert found.weights_bytes == one.shape.weights_bytes
    assert run.decode_tps is not None
    assert run.prompt_tps is not None
    assert found.decode_tps == pytest.approx(run.decode_tps.mean)
    assert (found.prompt_tokens, found.prefill_tps) == (64, pytest.approx(run.prompt_tps.mean))
    assert Measurement.from_data(found.to_data()) == found


def test_a_deeper_run_has_the_prompt_of_the_first() -> None:
    _, found = measured(load(), Workload(64, 8, 0), Workload(0, 8, 500))
    assert [one.depth_tokens for one in found] == [0, 500]
    assert found[0].prefill_tps == found[1].prefill_tps > 0
    assert found[0].decode_tps > found[1].decode_tps


def test_without_a_prompt_nothing_is_said_of_prompts() -> None:
    _, (found,) = measured(load(), Workload(0, 8, 0))
    assert (found.prompt_tokens, found.prefill_tps) == (0, 0)


def test_layers_on_a_card() -> None:
    one = load()
    assert measured(one, cards=(CARD,))[1][0].conditions.device == "a card"
    some = replace(one, settings=replace(one.settings, gpu_layers=4))
    assert measured(some, cards=(CARD,))[1] == ()


@pytest.mark.parametrize(
    "change",
    [{"kv_type": "q8_0"}, {"flash_attention": "off"}, {"batch_tokens": 512}],
    ids=str,
)
def test_unusual_settings_tell_nothing(change: dict[str, object]) -> None:
    one = load()
    assert measured(replace(one, settings=replace(one.settings, **change)))[1] == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"engine": "llama-server"}, {"variant_id": None}, {"quant": None}], ids=str)
def test_other_engines_and_unknown_files_tell_nothing(change: dict[str, object]) -> None:
    one = load()
    assert measured(replace(one, subject=replace(one.subject, **change)))[1] == ()  # type: ignore[arg-type]


def test_interrupted_runs_and_prompts_alone_tell_nothing() -> None:
    one = load()
    (run,), _ = measured(one)
    assert measurements_of([replace(run, complete=False)], [one], around()) == ()
    assert measured(one, Workload(64, 0, 0))[1] == ()
