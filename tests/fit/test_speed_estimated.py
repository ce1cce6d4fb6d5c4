"""Speed that follows from bandwidth and arithmetic alone: the estimated grade."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.catalog.types import Dimensions, Variant
from phicli.fit.estimate import (
    ASSUMED_ERROR,
    CACHE_BYTES_PER_CYCLE,
    CORE_BYTES_PER_CYCLE,
    ESTIMATED_ERROR,
    PREFILL_ATTENTION_SHARE,
    PREFILL_SHARE,
    READ_SHARE,
    SUSTAINED_SHARE,
    estimated_costs,
    share_of,
)
from phicli.fit.gpu_kinds import OTHER, PUBLISHED_ERROR
from phicli.fit.gpu_kinds import READ_SHARE as GPU_READ_SHARE
from phicli.fit.shape import ModelShape
from phicli.fit.speed import estimate
from phicli.fit.types import Candidate
from phicli.hardware.native_gains import speedup
from phicli.hardware.simulation import profile_names, simulate
from phicli.hardware.types import Machine, NativeKernels
from tests.support.speeds import (
    GPU,
    MACHINE,
    MINI_HEAD,
    MINI_LAYER_PARAMETERS,
    candidate,
    placed,
)


def test_a_token_reads_all_weights_of_a_tied_model() -> None:
    costs = estimated_costs(candidate(), MACHINE, placed())
    assert costs.decode_ms(0) == pytest.approx(1000 * 4.08e9 / (40e9 * READ_SHARE) + 1.0)


def test_few_cores_do_not_take_in_what_memory_gives() -> None:
    """Bytes per cycle times the clock times the cores; the rest of the bandwidth is of no use to them."""
    few = replace(MACHINE, cpu=replace(MACHINE.cpu, physical_cores=1, clock_hz=2e9))
    rate = 2e9 * share_of(CORE_BYTES_PER_CYCLE, "Q8_0")
    assert rate < 40e9 * READ_SHARE
    assert estimated_costs(candidate(), few, placed()).decode_ms(0) == pytest.approx(1000 * 4.08e9 / rate + 1.0)


def test_a_token_takes_no_less_than_one_of_a_prompt() -> None:
    """On a processor without vector units the arithmetic is what takes the time."""
    assert MACHINE.bandwidth is not None
    slow = replace(MACHINE, bandwidth=replace(MACHINE.bandwidth, flops=20e9))
    parameters = MINI_LAYER_PARAMETERS + 200_064 * 3072
    arithmetic = 2 * parameters / (20e9 * share_of(PREFILL_SHARE, "Q8_0"))
    assert estimated_costs(candidate(), slow, placed()).decode_ms(0) == pytest.approx(1000 * arithmetic + 1.0)


def test_the_embedding_of_an_untied_model_is_not_read() -> None:
    """Phi-3-mini in F16: nothing to unpack, and 32,064 x 3,072 numbers of two bytes that are looked up."""
    costs = estimated_costs(candidate("phi-3-mini-4k", "F16", 7_643_000_000), MACHINE, placed())
    read = 7_643_000_000 - 32_064 * 3072 * 2
    assert costs.decode_ms(0) == pytest.approx(1000 * read / (40e9 * READ_SHARE) + 1.0)


def test_prefill_is_two_operations_a_parameter_of_the_layers() -> None:
    costs = estimated_costs(candidate(), MACHINE, placed())
    assert costs.prompt_token == pytest.approx(
        1000 * 2 * MINI_LAYER_PARAMETERS / (200e9 * share_of(PREFILL_SHARE, "Q8_0"))
    )


def test_depth_costs_reading_the_cache_and_attention() -> None:
    costs = estimated_costs(candidate(), MACHINE, placed())
    cache = 32 * 8 * 256 * 2 / (MACHINE.cpu.physical_cores * 2.5e9 * CACHE_BYTES_PER_CYCLE)
    operations = 4 * 24 * 128 * 32
    assert costs.depth_token == pytest.approx(1000 * cache)
    assert costs.prompt_depth_token == pytest.approx(1000 * operations / (200e9 * PREFILL_ATTENTION_SHARE))


def test_a_smaller_cache_is_no_faster() -> None:
    whole, small = (estimated_costs(candidate(), MACHINE, placed(kv_type=kind)) for kind in ("f16", "q8_0"))
    assert whole.depth_token == small.depth_token


def test_the_first_token_comes_when_the_prompt_is_read() -> None:
    costs = estimated_costs(candidate(), MACHINE, placed())
    speed = estimate(candidate(), MACHINE, placed(), prompt_tokens=1000)
    expected = costs.prompt + 1000 * costs.prompt_token + 1000 * 500 * costs.prompt_depth_token
    assert speed.ttft_s == pytest.approx(expected / 1000)
    assert speed.prefill_tps == pytest.approx(1000 / speed.ttft_s)


def test_the_matrices_have_the_bytes_that_the_file_says() -> None:
    """As in bartowski's ``_L`` files, which have more bits there; the embedding is not read."""
    model = candidate("phi-3-mini-4k", "F16", 7_000_000_000)
    plain = replace(model, shape=replace(model.shape, embedding_bytes=500_000_000, output_bytes=300_000_000))
    tied = replace(model, shape=replace(model.shape, embedding_bytes=500_000_000))
    for one, read in ((plain, 6_500_000_000), (tied, 7_000_000_000)):
        costs = estimated_costs(one, MACHINE, placed())
        assert costs.decode_ms(0) == pytest.approx(1000 * read / (40e9 * READ_SHARE) + 1.0)


def moe(feed_forward: int | None) -> Candidate:
    """Two of eight experts; 2 layers, hidden 100, one head of 10, 1000 words, tied."""
    dims = Dimensions(2, 1, 1, 10, 100, 1000, True, feed_forward, 8, 2)
    made = Variant(
        "moe", "moe", "", 1_000_000, 4096, "MIT", "", active_parameters=400_000, architecture="phimoe", dimensions=dims
    )
    shape = ModelShape(
        2_100_000, 0, 2, 100, feed_forward or 0, 1, 2, 10, 10, 1000, 4096,
        embedding_bytes=200_000, expert_bytes=1_600_000 if feed_forward else 0,
    )  # fmt: skip
    return Candidate(made, "F16", shape, "published")


def test_a_mixture_reads_the_experts_that_a_token_passes() -> None:
    shared, expert = 2 * 4 * 100 * 10, 2 * 3 * 100 * 150  # parameters
    read = 2_100_000 - 1_600_000 * 6 / 8
    costs = estimated_costs(moe(150), MACHINE, placed())
    assert costs.decode_ms(0) == pytest.approx(1000 * read / (40e9 * READ_SHARE) + 1.0)
    assert costs.prompt_token == pytest.approx(
        1000 * 2 * (shared + 2 * expert) / (200e9 * share_of(PREFILL_SHARE, "F16"))
    )


def test_a_mixture_of_unknown_experts_goes_by_its_active_parameters() -> None:
    read = 1_900_000 * 300_000 / 900_000 + 200_000
    costs = estimated_costs(moe(None), MACHINE, placed())
    assert costs.decode_ms(0) == pytest.approx(1000 * read / (40e9 * READ_SHARE) + 1.0)
    assert costs.prompt_token == pytest.approx(1000 * 2 * 300_000 / (200e9 * share_of(PREFILL_SHARE, "F16")))


def test_repacked_weights_are_read_as_fast_and_have_a_prefill_of_their_own() -> None:
    model = candidate(quant="Q4_K_M", weights=2_490_000_000, repackable=1_300_000_000)
    plain, repacked = (estimated_costs(model, MACHINE, placed(repack=size)) for size in (0, 1_300_000_000))
    assert repacked.decode_ms(0) == plain.decode_ms(0) == pytest.approx(1000 * 2.49e9 / (40e9 * READ_SHARE) + 1.0)
    shares = PREFILL_SHARE["repacked"] / share_of(PREFILL_SHARE, "Q4_K_M")
    assert plain.prompt_token / repacked.prompt_token == pytest.approx(shares)


def test_layers_on_the_gpu_run_at_its_bandwidth() -> None:
    """And each layer costs its start; nothing of the processor is left."""
    machine = replace(MACHINE, gpus=(GPU,))
    costs = estimated_costs(candidate(), machine, placed(gpu_layers=33))
    assert costs.decode_ms(0) == pytest.approx(1000 * 4.08e9 / (900e9 * GPU_READ_SHARE) + 32 * OTHER.layer_ms)
    assert costs.prompt_ms(512) == pytest.approx(
        512 * 1000 * (2 * MINI_LAYER_PARAMETERS + 256 * 4 * 24 * 128 * 32) / (900e9 * OTHER.flops_per_byte)
    )
    assert estimated_costs(candidate(), machine, placed(gpu_layers=-1)) == costs


def test_half_of_the_layers_on_the_gpu() -> None:
    """The output matrix, which the engine puts there first, and 16 of 32."""
    half = (4.08e9 - MINI_HEAD) / 2
    costs = estimated_costs(candidate(), replace(MACHINE, gpus=(GPU,)), placed(gpu_layers=17))
    expected = half / (40e9 * READ_SHARE) + (half + MINI_HEAD) / (900e9 * GPU_READ_SHARE)
    assert costs.decode_ms(0) == pytest.approx(1000 * expected + 16 * OTHER.layer_ms + 1.0)


def test_graphics_that_share_main_memory_read_at_least_as_the_processor_does() -> None:
    shared = replace(GPU, unified=True, bandwidth_bytes_per_s=None)
    told = replace(GPU, bandwidth_bytes_per_s=40e9)
    one, other = (estimated_costs(candidate(), replace(MACHINE, gpus=(gpu,)), placed(gpu_layers=33))
                  for gpu in (shared, told))  # fmt: skip
    assert one.decode_ms(0) == other.decode_ms(0)


@pytest.mark.parametrize(
    ("clock_hz", "nominal", "sets", "share"),
    [
        (None, False, ("AVX2",), 1.0),
        (2.6e9, True, ("AVX2", "AVX512F"), 1.0),
        (4.4e9, False, ("AVX2",), SUSTAINED_SHARE[""]),
        (2.4e9, False, ("NEON", "DOTPROD"), SUSTAINED_SHARE["NEON"]),
    ],
)
def test_with_all_cores_busy_a_processor_is_below_its_highest_clock(
    clock_hz: float | None, nominal: bool, sets: tuple[str, ...], share: float
) -> None:
    """A virtual machine tells its nominal clock, and we measured one: nothing is taken off there."""
    cpu = replace(MACHINE.cpu, clock_hz=clock_hz, nominal_clock=nominal, instruction_sets=sets)
    costs = estimated_costs(candidate(), replace(MACHINE, cpu=cpu), placed())
    assert costs.prompt_token == pytest.approx(
        1000 * 2 * MINI_LAYER_PARAMETERS / (200e9 * share * share_of(PREFILL_SHARE, "Q8_0"))
    )
    assert costs.published == (share != 1)


def test_a_gpu_that_the_engine_cannot_use_is_none() -> None:
    machine = replace(MACHINE, gpus=(replace(GPU, usable=False),))
    assert estimated_costs(candidate(), machine, placed(gpu_layers=33)) == estimated_costs(
        candidate(), MACHINE, placed()
    )


@pytest.mark.parametrize(
    ("machine", "gpu_layers", "error"),
    [
        (MACHINE, 0, ESTIMATED_ERROR),
        (replace(MACHINE, bandwidth=None), 0, ASSUMED_ERROR),
        (replace(MACHINE, cpu=replace(MACHINE.cpu, instruction_sets=("NEON",))), 0, PUBLISHED_ERROR),
        (replace(MACHINE, gpus=(GPU,)), 33, PUBLISHED_ERROR),
        (replace(MACHINE, gpus=(replace(GPU, bandwidth_bytes_per_s=None),)), 33, ASSUMED_ERROR),
        (replace(MACHINE, bandwidth=None, gpus=(GPU,)), 33, PUBLISHED_ERROR),
        (replace(MACHINE, bandwidth=None, gpus=(GPU,)), 16, ASSUMED_ERROR),
    ],
)
def test_what_nobody_told_makes_the_range_wide(machine: Machine, gpu_layers: int, error: float) -> None:
    speed = estimate(candidate(), machine, placed(gpu_layers=gpu_layers), prompt_tokens=512)
    assert speed.decode_tps_low == pytest.approx(speed.decode_tps / (1 + error))
    high = speed.decode_tps / (1 - error)
    if not gpu_layers and machine.bandwidth is not None:
        high = 40e9 / 4.08e9  # no faster than memory is read
    assert speed.decode_tps_high == pytest.approx(high)


@pytest.mark.parametrize("name", profile_names())
def test_no_range_ends_above_what_the_memory_allows(name: str) -> None:
    """The upper end of ``laptop-16gb`` was 20 tokens/s, but 38 GB/s allow 15."""
    machine = simulate(profile=name)
    assert machine.bandwidth is not None
    model = candidate(quant="Q4_K_M", weights=2_490_000_000)
    speed = estimate(model, machine, placed(), prompt_tokens=512)
    assert speed.decode_tps < speed.decode_tps_high <= machine.bandwidth.bytes_per_s / 2.49e9 * 1.0001
    for gpu in machine.gpus:
        on_gpu = estimate(model, machine, placed(gpu_layers=33), prompt_tokens=512)
        assert gpu.bandwidth_bytes_per_s is not None
        assert on_gpu.decode_tps < on_gpu.decode_tps_high <= gpu.bandwidth_bytes_per_s / 2.49e9 * 1.0001


def test_native_kernels_are_as_fast_as_measured_and_the_grade_says_so() -> None:
    kernels = NativeKernels(("AVX2", "AVX512F", "AVX512_VNNI"))
    native, model = replace(MACHINE, kernels=kernels), candidate(quant="Q4_K_M", weights=2_490_000_000)
    before, after = (estimated_costs(model, machine, placed()) for machine in (MACHINE, native))
    gain = speedup(kernels, "Q4_K_M", model.shape.key_length)
    assert after.prompt_token == pytest.approx(before.prompt_token / gain.prefill)
    assert before.depth_token / gain.cache <= after.depth_token < before.depth_token
    assert before.decode_ms(0) / gain.decode <= after.decode_ms(0) <= before.decode_ms(0)
    grades = [estimate(model, machine, placed(), prompt_tokens=512).grade for machine in (MACHINE, native)]
    assert grades == ["estimated", "estimated with native kernels"]


def test_native_kernels_make_no_difference_on_a_gpu() -> None:
    machine = replace(MACHINE, gpus=(GPU,))
    native = replace(machine, kernels=NativeKernels(("AVX2", "AVX512F", "AVX512_VNNI")))
    whole = placed(gpu_layers=33)
    assert estimated_costs(candidate(), native, whole) == estimated_costs(candidate(), machine, whole)
    assert not estimate(candidate(), native, whole, prompt_tokens=512).native


def test_heads_that_the_kernels_do_not_take_whole_make_a_deep_context_slower() -> None:
    """Phi-3-mini has heads of 96 numbers, of which AVX-512 takes 64 at a time."""
    kernels = NativeKernels(("AVX2", "AVX512F", "AVX512_VNNI"))
    model = candidate("phi-3-mini-4k", "Q4_K_M", 2_390_000_000)
    before, after = (
        estimated_costs(model, machine, placed()) for machine in (MACHINE, replace(MACHINE, kernels=kernels))
    )
    assert after.depth_token > before.depth_token
    assert after.prompt_token < before.prompt_token
