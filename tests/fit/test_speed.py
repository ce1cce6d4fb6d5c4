"""Speed from what was timed here, the calibrated and measured grades, and what they need to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.catalog.load import catalog
from phicli.fit.calibration import Calibration, Conditions, Measurement, shape_key
from phicli.fit.placement import Placement
from phicli.fit.speed import speed_model
from phicli.fit.types import Candidate, Speed
from phicli.hardware.types import Machine
from tests.support.speeds import (
    GPU,
    HERE,
    MACHINE,
    MINI_HEAD,
    MINI_LAYER_PARAMETERS,
    candidate,
    placed,
    variant,
)

CALIBRATION = Calibration(
    conditions=HERE,
    quant="Q8_0",
    shape_key=shape_key(candidate().shape),
    layer_bytes=100e6,
    layer_parameters=MINI_LAYER_PARAMETERS / 32,
    attention_flops=4 * 24 * 128,
    ms_per_layer=4.0,
    ms_fixed=20.0,
    attention_ms=0.001,
    prefill_ms=0.8,
    prefill_ms_fixed=10.0,
    prefill_attention_ms=0.0002,
    spread=0.02,
    made_at="2026-11-22T10:00:00+00:00",
)
RUN = Measurement(HERE, "phi-4-mini", "Q8_0", 4_080_000_000, 0, 8.0, 0.1, 1000, 40.0, "2026-11-22T10:00:00+00:00")


def graded(
    model: Candidate | None = None,
    place: Placement | None = None,
    *,
    calibrations: tuple[Calibration, ...] = (),
    measurements: tuple[Measurement, ...] = (),
    machine: Machine = MACHINE,
    threads: int | None = None,
) -> Speed:
    speed = speed_model(
        machine, prompt_tokens=1000, threads=threads, calibrations=calibrations, measurements=measurements
    )
    return speed(model or candidate(), place or placed())


def test_slope_times_layers_plus_intercept() -> None:
    exact = candidate(weights=32 * 100_000_000 + int(MINI_HEAD))
    speed = graded(exact, calibrations=(CALIBRATION,))
    assert speed.method == "calibrated"
    assert speed.decode_tps == pytest.approx(1000 / (20 + 32 * 4), rel=1e-6)
    assert speed.decode_at_context_tps == pytest.approx(1000 / (20 + 32 * (4 + 4096 * 0.001)), rel=1e-6)
    assert speed.ttft_s == pytest.approx((10 + 1000 * 32 * (0.8 + 500 * 0.0002)) / 1000)
    assert speed.decode_tps_low == pytest.approx(speed.decode_tps / 1.12)
    assert speed.decode_tps_high == pytest.approx(speed.decode_tps / 0.88)


def test_layers_with_more_bytes_take_longer_in_proportion() -> None:
    exact = candidate(weights=32 * 110_000_000 + int(MINI_HEAD))
    speed = graded(exact, calibrations=(CALIBRATION,))
    assert speed.decode_tps == pytest.approx(1000 / (20 + 1.1 * 32 * 4), rel=1e-6)


def test_the_newest_calibration_counts() -> None:
    older = replace(CALIBRATION, ms_per_layer=9.0)
    both = graded(calibrations=(CALIBRATION, older))
    assert both == graded(calibrations=(CALIBRATION,)) != graded(calibrations=(older,))


@pytest.mark.parametrize(
    "conditions",
    [replace(HERE, cpu="Other CPU"), replace(HERE, threads=2), replace(HERE, device="Fast GPU")],
    ids=["cpu", "threads", "device"],
)
def test_what_was_found_under_other_conditions_is_not_used(conditions: Conditions) -> None:
    calibrations = (replace(CALIBRATION, conditions=conditions),)
    runs = (replace(RUN, conditions=conditions),)
    assert graded(calibrations=calibrations, measurements=runs) == graded()


def test_repacked_and_plain_weights_are_two_calibrations() -> None:
    model = candidate(quant="Q4_K_M", weights=2_490_000_000, repackable=1_300_000_000)
    plain = replace(CALIBRATION, quant="Q4_K_M", ms_per_layer=3.0)
    repacked = replace(plain, conditions=replace(HERE, repack=True), ms_per_layer=2.0)
    ratio = (2.49e9 - 200_064 * 3072 * 210 / 256) / 32 / 100e6
    for repack_bytes, slope in ((0, 3.0), (1_300_000_000, 2.0)):
        speed = graded(model, placed(repack=repack_bytes), calibrations=(plain, repacked))
        assert speed.decode_tps == pytest.approx(1000 / (20 + 32 * slope * ratio))


def test_a_file_that_was_measured_in_the_other_layout_is_measured_with_a_wider_range() -> None:
    """``phi show`` says how a conversation runs, whatever was benchmarked with ``--repack``."""
    model = candidate(quant="Q4_K_M", weights=2_490_000_000, repackable=1_300_000_000)
    plain = replace(RUN, quant="Q4_K_M", weights_bytes=2_490_000_000)
    repacked = replace(plain, conditions=replace(HERE, repack=True), decode_tps=2 * plain.decode_tps)
    for repack_bytes, same in ((0, plain), (1_300_000_000, repacked)):
        place, (other,) = placed(repack=repack_bytes), {plain, repacked} - {same}
        speed = graded(model, place, measurements=(plain, repacked))
        assert (speed.method, speed.decode_tps) == ("measured", pytest.approx(same.decode_tps))
        wide = graded(model, place, measurements=(other,))
        assert (wide.method, wide.decode_tps) == ("measured", pytest.approx(other.decode_tps))
        assert wide.decode_tps_low <= wide.decode_tps / 1.1
        assert wide.decode_tps_low / wide.decode_tps < speed.decode_tps_low / speed.decode_tps


def test_runs_of_a_file_that_the_catalog_does_not_know() -> None:
    model = replace(candidate(), path="/models/mine.gguf")
    run = replace(RUN, variant_id="/models/mine.gguf")
    assert graded(model, measurements=(run,)).method == "measured"
    assert graded(replace(model, path="/models/other.gguf"), measurements=(run,)) == graded()
    assert graded(replace(model, path=None), measurements=(run,)) == graded()


def test_a_file_without_anything_to_repack_takes_either() -> None:
    repacked = replace(CALIBRATION, conditions=replace(HERE, repack=True))
    assert graded(calibrations=(repacked,)).method == "calibrated"


def test_another_quantisation_is_scaled_by_its_bytes_and_is_an_estimate() -> None:
    """Q3_K_M cannot be written: the nearest in bits counts, which is Q4_K_M."""
    model = candidate(quant="Q3_K_M", weights=2_117_000_000)
    near = replace(CALIBRATION, quant="Q4_K_M", ms_per_layer=2.0, layer_bytes=60e6)
    speed = graded(model, calibrations=(CALIBRATION, near))
    head = 200_064 * 3072 * 210 / 256
    assert speed.method == "estimated"
    assert speed.decode_tps == pytest.approx(1000 / (20 + (2.117e9 - head) * 2.0 / 60e6))
    assert speed.decode_at_context_tps < speed.decode_tps
    assert speed.prefill_tps == pytest.approx(1000 * 1000 / (10 + 1000 * 32 * (0.8 + 500 * 0.0002)))


def test_the_output_matrix_is_scaled_by_its_bits() -> None:
    speed = graded(candidate(quant="Q6_K", weights=3_150_000_000), calibrations=(CALIBRATION,))
    head = 200_064 * 3072 * 210 / 256
    fixed = 20 * (210 / 256) / (34 / 32)
    assert speed.decode_tps == pytest.approx(1000 / (fixed + (3.15e9 - head) * 4.0 / 100e6))


def test_another_shape_is_scaled_by_bytes_parameters_and_attention() -> None:
    model = candidate("phi-3-mini-4k", "Q8_0", 4_061_222_688)
    matrix = 32_064 * 3072 * 34 / 32
    speed = graded(model, calibrations=(CALIBRATION,))
    assert speed.method == "estimated"
    assert speed.decode_tps == pytest.approx(1000 / ((4_061_222_688 - matrix) * 4.0 / 100e6))
    parameters = 32 * (3072 * 3072 * 4 + 3 * 3072 * 8192) / (MINI_LAYER_PARAMETERS / 32)
    assert speed.ttft_s == pytest.approx((10 + 1000 * (parameters * 0.8 + 500 * 32 * 0.0002)) / 1000)


def test_the_same_shape_is_nearer_than_the_same_bits() -> None:
    other = replace(CALIBRATION, quant="Q6_K", shape_key="1-2-3", ms_per_layer=99.0)
    model = candidate(quant="Q6_K", weights=3_150_000_000)
    assert graded(model, calibrations=(other, CALIBRATION)) == graded(model, calibrations=(CALIBRATION,))


def test_a_run_of_the_file_itself_is_best() -> None:
    speed = graded(calibrations=(CALIBRATION,), measurements=(RUN,))
    assert speed.method == "measured"
    assert speed.decode_tps == pytest.approx(8.0)
    assert speed.prefill_tps == pytest.approx(40.0)
    assert speed.decode_at_context_tps == pytest.approx(1000 / (125 + 32 * 4096 * 0.001))
    assert speed.decode_tps_low == pytest.approx(8.0 / 1.05)


def test_runs_at_two_depths_say_what_depth_costs() -> None:
    deep = replace(RUN, depth_tokens=2048, decode_tps=5.0)
    speed = graded(measurements=(RUN, deep))
    assert speed.decode_at_context_tps == pytest.approx(1000 / (125 + 2 * 75))


def test_a_run_at_a_depth_alone_is_taken_back_to_none() -> None:
    deep = replace(RUN, depth_tokens=1000, decode_tps=5.0)
    speed = graded(calibrations=(CALIBRATION,), measurements=(deep,))
    assert speed.decode_tps == pytest.approx(1000 / (200 - 1000 * 32 * 0.001))


def test_runs_that_scatter_make_the_range_wide() -> None:
    speed = graded(measurements=(replace(RUN, decode_stdev_tps=0.8),))
    assert speed.decode_tps_low == pytest.approx(8.0 / 1.2)


@pytest.mark.parametrize(
    "other",
    [
        replace(RUN, variant_id="phi-4"),
        replace(RUN, quant="Q4_K_M"),
        replace(RUN, weights_bytes=4_200_000_000),
        replace(RUN, decode_tps=0.0),
    ],
    ids=["model", "quant", "size", "failed"],
)
def test_a_run_of_another_file_says_nothing(other: Measurement) -> None:
    assert graded(measurements=(other,)) == graded()


def test_a_simulated_machine_is_only_estimated() -> None:
    simulated = replace(MACHINE, simulated="a laptop")
    speed = graded(machine=simulated, calibrations=(CALIBRATION,), measurements=(RUN,))
    assert speed == graded()


def test_a_calibration_on_the_gpu_is_for_models_that_are_all_on_it() -> None:
    machine = replace(MACHINE, gpus=(GPU,))
    on_gpu = replace(CALIBRATION, conditions=replace(HERE, device="Fast GPU"))
    methods = [graded(place=placed(gpu_layers=n), machine=machine, calibrations=(on_gpu,)).method for n in (33, 32, 0)]
    assert methods == ["calibrated", "estimated", "estimated"]


@pytest.mark.parametrize("name", [one.id for one in catalog().variants if one.runs_here and one.dimensions])
@pytest.mark.parametrize("gpu_layers", [0, 8, -1])
def test_every_model_has_a_speed_inside_its_range(name: str, gpu_layers: int) -> None:
    machine = replace(MACHINE, gpus=(GPU,))
    model = candidate(name, "Q4_K_M", int(variant(name).parameters * 0.65))
    for calibrations in ((), (CALIBRATION,)):
        speed = graded(model, placed(gpu_layers=gpu_layers), machine=machine, calibrations=calibrations)
        assert 0 < speed.decode_tps_low < speed.decode_tps < speed.decode_tps_high < float("inf")
        assert 0 < speed.decode_at_context_tps < speed.decode_tps
        assert speed.ttft_s > 0
