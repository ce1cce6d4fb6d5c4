"""Which weights are copied on which processor, as the engine's published packages do it."""

from __future__ import annotations

import pytest

from phicli.catalog.load import catalog
from phicli.fit.repacking import AVX2_TYPES, repacked_types
from phicli.gguf_file.recipe import recipe_sum
from phicli.hardware.simulation import simulate
from phicli.hardware.types import Cpu, Machine
from phicli.plan.candidates import candidates


def types(sets: tuple[str, ...], system: str = "Ubuntu 24.04.1 LTS, Linux 6.8.0") -> frozenset[str]:
    return repacked_types(Machine(None, Cpu("a processor", 4, 4, sets), system=system))


def test_x86() -> None:
    assert types(("SSE4_2", "AVX", "AVX2", "FMA")) == AVX2_TYPES == {"Q4_0", "Q4_K", "IQ4_NL"}
    assert types(("SSE4_2", "AVX2", "AVX512F", "AVX512_VNNI")) == AVX2_TYPES  # the packages are built for AVX2
    assert types(("SSE4_2", "AVX")) == frozenset()
    assert types(()) == AVX2_TYPES  # nobody tells: then the larger sum


def test_arm() -> None:
    assert types(("NEON", "FP16", "DOTPROD", "I8MM")) == {"IQ4_NL"}  # the package for Linux is built for plain ARMv8
    assert types(("NEON",), "macOS 15") == {"IQ4_NL"}
    assert types(("NEON", "DOTPROD"), "macOS 15") == {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL"}


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
                assert recipe.bytes_in(sums) == recipe.weights_bytes - recipe.embedding_bytes
                assert recipe.bytes_in(()) == 0
