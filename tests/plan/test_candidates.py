"""Which files a recommendation chooses from, and where their sizes come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import Catalog, Variant
from phicli.fit.repacking import AVX2_TYPES
from phicli.fit.shape import shape_of
from phicli.fit.types import Candidate
from phicli.gguf_file.header import read_header
from phicli.gguf_file.recipe import recipe_sum
from phicli.plan.candidates import candidates
from phicli.plan.installed import CACHE, InstalledModel
from tests.support.skeleton import write_skeleton

BOOK = catalog()


def variant(name: str) -> Variant:
    return next(variant for variant in BOOK.variants if variant.id == name)


def one(found: tuple[Candidate, ...], name: str, quant: str) -> Candidate:
    (only,) = [item for item in found if (item.variant.id, item.quant) == (name, quant)]
    return only


def skeleton(folder: Path, name: str, quant: str) -> InstalledModel:
    model = variant(name)
    assert model.architecture is not None
    assert model.dimensions is not None
    path = folder / "a.gguf"
    write_skeleton(path, model.architecture, model.dimensions, quant=quant, context_tokens=model.context_tokens)
    return InstalledModel(f"{name}:{quant}", quant, path, path.stat().st_size, CACHE, variant_id=name)


def test_every_published_file_that_runs_here_is_a_candidate_once() -> None:
    found = candidates(BOOK, ())
    keys = [(item.variant.id, item.quant) for item in found]
    assert len(keys) == len(set(keys))
    for model in BOOK.variants:
        own = {quant for name, quant in keys if name == model.id}
        if model.runs_here:
            assert own >= {quant for quant in model.quants if not quant.startswith("UD-")}
            assert own or not model.sources
        else:
            assert not own


def test_what_is_packaged_is_installed() -> None:
    toy = one(candidates(BOOK, ()), "tiny-phi", "F16")
    assert (toy.installed, toy.size_source) == (True, "header")


def test_published_sizes_come_first_then_the_recipe() -> None:
    found = candidates(BOOK, ())
    exact = one(found, "phi-4-mini", "Q4_K_M")
    assert (exact.size_source, exact.installed) == ("published", False)
    assert exact.shape.weights_bytes == 2_491_874_688
    dimensions = exact.variant.dimensions
    assert dimensions is not None
    recipe = recipe_sum("phi3", dimensions, "Q4_K_M")
    assert exact.shape.repackable_bytes == pytest.approx(recipe.bytes_in(AVX2_TYPES), rel=0.004)
    unknown = one(found, "phi-1.5", "Q4_K_M")
    assert unknown.size_source == "recipe"
    assert 850_000_000 < unknown.shape.weights_bytes < 950_000_000


@pytest.mark.parametrize("name", ["phi-4-mini", "phi-2", "phi-3.5-moe"])
def test_the_expected_shape_is_that_of_the_header(tmp_path: Path, name: str) -> None:
    """But for the bytes: a published file has a header as well."""
    model = skeleton(tmp_path, name, "Q4_K_M")
    before = one(candidates(BOOK, ()), name, "Q4_K_M")
    after = one(candidates(BOOK, (model,)), name, "Q4_K_M")
    assert (after.size_source, after.installed) == ("header", True)
    assert after.shape == shape_of(read_header(model.path))
    for field in ("layers", "embedding", "feed_forward", "heads", "kv_heads_total", "key_length", "value_length",
                  "vocabulary", "trained_context_tokens", "architecture", "experts", "experts_used"):  # fmt: skip
        assert getattr(before.shape, field) == getattr(after.shape, field), field
    for field in ("weights_bytes", "repackable_bytes", "embedding_bytes", "output_bytes", "expert_bytes"):
        assert getattr(before.shape, field) == pytest.approx(getattr(after.shape, field), rel=0.005), field


def test_a_damaged_file_is_not_installed(tmp_path: Path) -> None:
    model = skeleton(tmp_path, "phi-2", "Q4_K_M")
    model.path.write_bytes(b"GGUF")
    assert not one(candidates(BOOK, (model,)), "phi-2", "Q4_K_M").installed


def test_an_installed_quantisation_that_nobody_lists_is_a_candidate(tmp_path: Path) -> None:
    model = skeleton(tmp_path, "phi-1", "Q6_K")
    only = Catalog((variant("phi-1"),))
    assert candidates(only, ()) == ()
    (found,) = candidates(only, (model,))
    assert (found.quant, found.installed) == ("Q6_K", True)
