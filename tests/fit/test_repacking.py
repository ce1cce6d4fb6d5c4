"""Which weights are copied on which processor, by the engine's published packages and by native kernels."""

from __future__ import annotations

import pytest

from phicli.catalog.load import catalog
from phicli.fit.repacking import AVX2_TYPES, repacked_by, repacked_types
from phicli.gguf_file.recipe import recipe_sum
from phicli.hardware.simulation import simulate
from phicli.hardware.types import Cpu, Machine, NativeKernels
from phicli.plan.candidates import candidates, expected_shape


def types(
    sets: tuple[str, ...], system: str = "Ubuntu 24.04.1 LTS, Linux 6.8.0", kernels: tuple[str, ...] = ()
) -> set[str]:
    machine = Machine(None, Cpu("a processor", 4, 4, sets), system=system, kernels=NativeKernels(kernels))
    return set(repacked_types(machine))


def test_x86() -> None:
    assert types(("SSE4_2", "AVX", "AVX2", "FMA")) == set(AVX2_TYPES) == {"Q4_0", "Q4_K", "IQ4_NL"}
    assert types(("SSE4_2", "AVX2", "AVX512F", "AVX512_VNNI")) == set(AVX2_TYPES)  # the packages are built for AVX2
    assert types(("SSE4_2", "AVX")) == set()
    assert types(()) == set(AVX2_TYPES)  # nobody tells: then the larger sum


def test_arm() -> None:
    assert types(("NEON", "FP16", "DOTPROD", "I8MM")) == {"IQ4_NL"}  # the package for Linux is built for plain ARMv8
    assert types(("NEON",), "macOS 15") == {"IQ4_NL"}
    assert types(("NEON", "DOTPROD"), "macOS 15") == {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL"}


def test_native_kernels_copy_what_they_were_built_for() -> None:
    sets = ("AVX2", "AVX512F", "AVX512_VNNI", "AMX")
    assert types(sets, kernels=("AVX2", "AVX512F", "AVX512_VNNI")) == {"Q4_0", "Q4_K", "IQ4_NL", "Q2_K"}
    assert types(sets, kernels=("AVX2",)) == set(AVX2_TYPES)
    assert types(("NEON", "DOTPROD"), kernels=("NEON", "DOTPROD")) == {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL"}
    assert types(("NEON", "DOTPROD"), kernels=("DOTPROD", "FP16")) == types(("NEON", "DOTPROD"), "macOS 15")
    assert types(("NEON", "DOTPROD"), kernels=("NEON",)) == {"IQ4_NL"}
    assert types(sets, kernels=sets) >= {"Q4_1", "Q5_K", "Q6_K", "Q8_0", "IQ4_XS", "Q2_K"}


def test_the_layout_for_amx_is_larger_than_the_weights() -> None:
    """Sizes of a block in its layout and in the file, in bytes: what ``ggml-cpu/amx/mmq.cpp`` adds to a row."""
    amx = repacked_by(("AVX2", "AVX512F", "AMX"))
    assert {name: amx[name] for name in ("Q4_K", "Q8_0", "Q6_K")} == {"Q4_K": 148 / 144, "Q8_0": 38 / 34, "Q6_K": 1.0}
    variant = next(one for one in catalog().variants if one.id == "phi-4")
    plain, larger = (expected_shape(variant, "Q8_0", repacked=types) for types in ({"Q8_0": 1.0}, amx))
    assert plain is not None
    assert larger is not None
    assert larger[0].repackable_bytes == pytest.approx(plain[0].repackable_bytes * 38 / 34, rel=1e-6)


@pytest.mark.parametrize(
    ("profile", "quant", "copied"),
    [
        ("laptop-16gb", "Q4_K_M", True),
        ("laptop-16gb", "Q8_0", False),
        ("raspberry-pi-5-8gb", "Q4_K_M", False),
        ("macbook-air-16gb", "Q8_0", True),
    ],
)
def test_candidates_know_the_processor(profile: str, quant: str, copied: bool) -> None:
    repacked = repacked_types(simulate(profile=profile))
    found = candidates(catalog(), (), repacked=repacked)
    shape = next(one.shape for one in found if (one.variant.id, one.quant) == ("phi-4", quant))
    assert (shape.repackable_bytes > 0) == copied
    assert shape.repackable_bytes < shape.weights_bytes


def test_the_sums_of_a_recipe_by_type_are_all_but_the_embedding() -> None:
    for variant in catalog().variants:
        if variant.runs_here and variant.dimensions and variant.dimensions.feed_forward and variant.architecture:
            for quant in ("Q4_K_M", "Q3_K_M", "Q2_K", "IQ4_NL", "F16"):
                recipe = recipe_sum(variant.architecture, variant.dimensions, quant)
                sums = dict(recipe.matrix_bytes)
                assert recipe.bytes_in(dict.fromkeys(sums, 1.0)) == recipe.weights_bytes - recipe.embedding_bytes
                assert recipe.bytes_in({}) == 0
