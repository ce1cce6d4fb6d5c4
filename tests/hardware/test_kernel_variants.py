"""Which variant of ggml's kernels is the best for a processor."""

from __future__ import annotations

import pytest

from phicli.hardware.kernel_variants import variants_for

AVX2 = ("SSE4_2", "AVX", "AVX2", "FMA", "F16C")
WHEEL = ("SSE3", "SSSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2", "LLAMAFILE", "OPENMP", "REPACK")
AVX512 = (*AVX2, "AVX512F")


@pytest.mark.parametrize(
    ("sets", "best"),
    [
        (AVX2, "haswell"),
        ((*AVX2, "AVX_VNNI"), "alderlake"),
        (AVX512, "skylakex"),
        ((*AVX512, "AVX512_VNNI"), "cascadelake"),
        ((*AVX512, "AVX512_VNNI", "AVX512_VBMI"), "icelake"),
        ((*AVX512, "AVX512_VNNI", "AVX512_BF16"), "cooperlake"),
        ((*AVX512, "AVX_VNNI", "AVX512_VNNI", "AVX512_BF16", "AVX512_VBMI"), "zen4"),
        ((*AVX512, "AVX_VNNI", "AVX512_VNNI", "AVX512_BF16", "AVX512_VBMI", "AMX"), "sapphirerapids"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_best_variant_uses_all_that_the_processor_has(sets: tuple[str, ...], best: str) -> None:
    assert variants_for("linux", "x86_64", sets)[0].name == best


@pytest.mark.parametrize(
    ("platform", "machine", "sets", "best"),
    [
        ("linux", "aarch64", ("NEON", "FP16", "DOTPROD"), "armv8.2_2"),
        ("linux", "aarch64", ("NEON", "FP16", "DOTPROD", "I8MM", "SVE", "SVE2"), "armv8.6_2"),
        ("darwin", "arm64", ("NEON", "DOTPROD", "I8MM"), "apple_m2_m3"),
    ],
)
def test_other_systems_have_their_own_variants(platform: str, machine: str, sets: tuple[str, ...], best: str) -> None:
    assert variants_for(platform, machine, sets)[0].name == best


def test_a_system_without_variants_has_none() -> None:
    assert variants_for("linux", "riscv64", AVX2) == ()
    assert variants_for("win32", "AMD64", AVX512) == (), "the engine for Windows cannot load a module"
    assert variants_for("linux", "x86_64", ("SSE4_2", "AVX")) == ()


def test_a_variant_gains_what_the_wheel_lacks() -> None:
    zen4, *_, haswell = variants_for("linux", "x86_64", (*AVX512, "AVX512_VNNI", "AVX512_BF16", "AVX512_VBMI"))
    assert zen4.gains(WHEEL) == ("AVX512F", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16")
    assert haswell.gains(WHEEL) == ()
    assert zen4.target == "ggml-cpu-zen4"
    assert "-mavx512bf16" in zen4.flags


def test_what_kernels_do_not_report_is_missing() -> None:
    zen4 = variants_for("linux", "x86_64", (*AVX512, "AVX512_VNNI", "AVX512_BF16", "AVX512_VBMI"))[0]
    assert zen4.missing((*WHEEL, "AVX512", "AVX512_VBMI", "AVX512_VNNI")) == ("AVX512_BF16",)
