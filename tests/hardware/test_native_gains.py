"""What native kernels would bring on a processor, and what is said of it."""

from __future__ import annotations

import pytest

from phicli.hardware.kernel_variants import worth_building
from phicli.hardware.native_gains import (
    CACHE,
    CACHE_ODD,
    DECODE,
    PREFILL,
    Speedup,
    head_note,
    kernels_note,
    possible_gain,
    speedup,
)
from phicli.hardware.notes import machine_notes
from phicli.hardware.simulation import profile_names, simulate
from phicli.hardware.types import Cpu, Gain, Machine, Memory, NativeKernels

AVX512 = ("SSE4_2", "AVX", "AVX2", "AVX512F", "AVX512_VNNI", "AVX512_BF16")
MEASURED = Gain(AVX512[3:], PREFILL[""], DECODE[""])
WHEEL = ("AVX", "AVX2", "F16C", "FMA", "BMI2", "REPACK")


def machine(sets: tuple[str, ...], system: str = "Linux", kernels: NativeKernels | None = None) -> Machine:
    memory = Memory(8 << 30, 4 << 30, "a test")
    return Machine(memory, Cpu("a processor", 4, 4, sets), system=system, kernels=kernels or NativeKernels())


@pytest.mark.parametrize(
    ("sets", "system", "processor", "own", "gain"),
    [
        (AVX512, "linux", "x86_64", WHEEL, MEASURED),
        (("AVX2", "AVX512F"), "linux", "x86_64", WHEEL, Gain(("AVX512F",))),
        (("AVX2", "AVX_VNNI"), "linux", "x86_64", WHEEL, Gain(("AVX_VNNI",))),
        (AVX512, "linux", "x86_64", (*WHEEL, "AVX512"), Gain(("AVX512_VNNI", "AVX512_BF16"))),
        (AVX512, "linux", "x86_64", (*WHEEL, "AVX512", "AVX512_VNNI", "AVX512_BF16"), None),
        (AVX512, "linux", "x86_64", (), None),
        (AVX512, "win32", "AMD64", WHEEL, None),
        (("AVX2", "AVX_VNNI"), "win32", "AMD64", WHEEL, None),
        (("NEON", "FP16", "DOTPROD"), "linux", "aarch64", ("NEON",), Gain(("DOTPROD", "FP16"))),
        (("NEON", "FP16", "DOTPROD"), "linux", "aarch64", ("NEON", "DOTPROD", "FP16_VA"), None),
        (("NEON", "DOTPROD", "I8MM"), "darwin", "arm64", ("NEON", "DOTPROD", "MATMUL_INT8"), None),
        (("NEON",), "linux", "aarch64", ("NEON",), None),
        ((), "linux", "x86_64", WHEEL, None),
    ],
)
def test_only_a_gain_that_a_build_brings_is_promised(
    sets: tuple[str, ...], system: str, processor: str, own: tuple[str, ...], gain: Gain | None
) -> None:
    assert possible_gain(sets, lambda: own, system, processor) == gain
    built = worth_building(system, processor, sets, own)
    if own:
        assert isinstance(built, str) == (gain is None)


def test_the_engine_is_not_asked_where_it_surely_uses_all() -> None:
    def nobody() -> tuple[str, ...]:
        raise AssertionError("the engine was asked")

    assert possible_gain(("SSE4_2", "AVX", "AVX2"), nobody, "linux", "x86_64") is None


def test_the_note_has_the_measured_figure_and_the_command() -> None:
    note = kernels_note(NativeKernels(gain=MEASURED))
    assert note == f"native kernels would process prompts about {PREFILL['']:.2g} times as fast: phi engine build"


def test_the_note_has_no_figure_where_nothing_was_measured() -> None:
    note = kernels_note(NativeKernels(gain=Gain(("DOTPROD", "I8MM"))))
    assert note.startswith("native kernels would use DOTPROD, I8MM of this processor, which the engine does not use")
    assert note.endswith(": phi engine build")


def test_kernels_that_cannot_be_used_are_named_in_place_of_the_gain() -> None:
    assert kernels_note(NativeKernels(gain=MEASURED, notice="they are for another version")) == (
        "they are for another version"
    )
    assert kernels_note(NativeKernels()) == ""


def test_nothing_is_said_of_the_processor_where_a_gpu_does_the_work() -> None:
    one = machine(AVX512, kernels=NativeKernels(gain=MEASURED))
    assert len(machine_notes(one)) == 1
    assert machine_notes(one, on_gpu=True) == ()


def test_no_simulated_machine_has_kernels() -> None:
    for name in profile_names():
        assert simulate(profile=name).kernels == NativeKernels()


def test_speeds_are_those_that_were_measured() -> None:
    kernels = NativeKernels(AVX512)
    assert speedup(kernels, "Q4_K_M", 128) == Speedup(PREFILL[""], DECODE[""], CACHE)
    assert speedup(kernels, "Q8_0", 96) == Speedup(PREFILL["Q8"], DECODE["Q8"], CACHE_ODD)
    assert speedup(kernels, "repacked", 64).prefill == PREFILL["repacked"]
    assert speedup(NativeKernels(), "Q4_K_M", 128) == Speedup()
    assert speedup(NativeKernels(("AVX2", "AVX_VNNI")), "Q4_K_M", 128) == Speedup(), "nobody has measured it"


def test_a_model_whose_heads_are_not_taken_whole_has_a_note() -> None:
    """Phi-3-mini and Phi-3.5-mini have heads of 96 numbers."""
    kernels = NativeKernels(AVX512)
    assert "phi engine use wheel" in head_note(kernels, 96)
    assert head_note(kernels, 128) == head_note(NativeKernels(), 96) == ""
