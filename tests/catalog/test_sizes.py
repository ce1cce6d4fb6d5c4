"""The catalogue's sizes, dimensions and parameters check each other."""

from __future__ import annotations

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import Dimensions, GgufFile, GgufSource, Variant
from phicli.gguf_file.recipe import RECIPES, recipe_sum, tensors
from phicli.gguf_file.synthetic import PHI_3_MINI, PHI_4_MINI, SyntheticShape, _size_bytes, _tensors
from tests.support.shapes import PHI_4

BOOK = {variant.id: variant for variant in catalog().variants}
HERE = [variant for variant in catalog().variants if variant.runs_here]
EXACT = [(v, source) for v in HERE for source in v.sources if any(file.size_bytes for file in source.files)]
ROUNDED = [
    (variant, source)
    for variant in HERE
    for source in variant.sources
    if source.architecture is None and any(file.size_approx_bytes for file in source.files)
]
COUNTED = {"phi-1": 1_420_000_000, "phi-1.5": 1_420_000_000, "phi-2": 2_780_000_000}
"""Microsoft's 1.3B and 2.7B leave out a part of the weights; these are what the repositories hold."""
EARLIER_RECIPE = {("TheBloke/phi-2-GGUF", "Q2_K")}
"""Made in December 2023, when llama.cpp's recipe for Q2_K had larger types."""
HEADER_BYTES_MAX = 12_000_000


def label(value: object) -> str:
    return value.id if isinstance(value, Variant) else value.repo if isinstance(value, GgufSource) else str(value)


def expected_bytes(variant: Variant, file: GgufFile) -> int:
    assert variant.architecture is not None
    assert variant.dimensions is not None
    assert file.quant in RECIPES, f"no recipe for {file.quant}"
    return recipe_sum(variant.architecture, variant.dimensions, file.quant).weights_bytes


@pytest.mark.parametrize(("variant", "source"), EXACT, ids=label)
def test_exact_sizes_are_the_tensors_and_one_header(variant: Variant, source: GgufSource) -> None:
    """Within 3 % by a wide margin: what is over is the header, the same in every file of a repository."""
    over = {file.quant: file.size_bytes - expected_bytes(variant, file) for file in source.files if file.size_bytes}
    assert all(0 < rest < HEADER_BYTES_MAX for rest in over.values()), over
    assert len(set(over.values())) == 1, over


@pytest.mark.parametrize(("variant", "source"), ROUNDED, ids=label)
def test_rounded_sizes_are_near_the_tensors(variant: Variant, source: GgufSource) -> None:
    for file in source.files:
        if file.size_approx_bytes:
            off = file.size_approx_bytes / expected_bytes(variant, file) - 1
            low, high = (0.05, 0.10) if (source.repo, file.quant) in EARLIER_RECIPE else (-0.005, 0.005)
            assert low < off < high, (file, off)


def test_most_models_that_run_here_have_a_size_to_check() -> None:
    without = {"tiny-phi", "phi-1", "phi-1.5", "phi-4-reasoning-vision"}
    assert {variant.id for variant, _ in EXACT + ROUNDED} == {variant.id for variant in HERE} - without
    assert sum(file.size_bytes is not None for _, source in EXACT for file in source.files) >= 45


def weight_count(architecture: str, dimensions: Dimensions, *, active: bool = False) -> int:
    """All weights of the model, or with ``active`` those that one token passes (embedding included)."""
    total = 0
    for tensor in tensors(architecture, dimensions):
        experts = active and tensor.kind.endswith("_exps")
        total += tensor.elements * dimensions.experts_used // dimensions.experts if experts else tensor.elements
    return total


@pytest.mark.parametrize("variant", HERE, ids=label)
def test_parameters_are_the_weights_rounded(variant: Variant) -> None:
    assert variant.architecture is not None
    assert variant.dimensions is not None
    published = COUNTED.get(variant.id, variant.parameters)
    weights = weight_count(variant.architecture, variant.dimensions)
    assert abs(weights - published) <= min(last_digit(published) / 2, 0.05 * published)
    assert weights == pytest.approx(variant.parameters, rel=0.1)
    if variant.active_parameters:
        active = weight_count(variant.architecture, variant.dimensions, active=True)
        assert abs(active - variant.active_parameters) <= last_digit(variant.active_parameters) / 2


def last_digit(number: int) -> int:
    """What one more in the last digit that is not 0 adds: 100,000,000 for 3,800,000,000."""
    digits = str(number)
    return int("1" + "0" * (len(digits) - len(digits.rstrip("0"))))


def test_last_digit() -> None:
    assert [last_digit(number) for number in (3_800_000_000, 14_000_000_000, 1_420_000_000)] == [10**8, 10**9, 10**7]


@pytest.mark.parametrize(
    ("shape", "name"), [(PHI_4_MINI, "phi-4-mini"), (PHI_3_MINI, "phi-3-mini-4k"), (PHI_4, "phi-4")]
)
def test_the_synthetic_files_have_the_dimensions_of_the_catalogue(shape: SyntheticShape, name: str) -> None:
    known = BOOK[name].dimensions
    assert known is not None
    assert (shape.layers, shape.heads, shape.kv_heads, shape.head_length) == (
        known.layers, known.heads, known.kv_heads, known.head_size,
    )  # fmt: skip
    assert (shape.embedding, shape.vocabulary, shape.tied, shape.feed_forward) == (
        known.hidden, known.vocabulary, known.tied, known.feed_forward,
    )  # fmt: skip
    assert shape.context_tokens == BOOK[name].context_tokens
    assert shape.original_context_tokens == BOOK[name].original_context_tokens


@pytest.mark.parametrize("quant", ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"])
def test_the_recipes_agree_with_those_that_write_files(quant: str) -> None:
    for shape, name in ((PHI_4_MINI, "phi-4-mini"), (PHI_3_MINI, "phi-3-mini-4k"), (PHI_4, "phi-4")):
        written = sum(_size_bytes(tensor) for tensor in _tensors(shape, quant) if "rope_factors" not in tensor.name)
        known = BOOK[name].dimensions
        assert known is not None
        assert recipe_sum("phi3", known, quant).weights_bytes == written
