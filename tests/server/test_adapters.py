"""Adapters of the server: their names, which models they fit, and how they are loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phicli.engine.types import Adapter
from phicli.errors import NotFoundError, UsageError, WrongBaseError
from phicli.server.adapters import scales_for
from phicli.server.types import NamedAdapter
from tests.server.model_shop import Shop
from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf

WIDE = tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)})


@pytest.fixture
def poems(tmp_path: Path) -> NamedAdapter:
    return NamedAdapter("Poems_2", Adapter(write_gguf(tmp_path / "poems.gguf"), 0.5))


@pytest.fixture
def tales(tmp_path: Path) -> NamedAdapter:
    return NamedAdapter("tales", Adapter(write_gguf(tmp_path / "tales.gguf")))


def shop_of(*adapters: NamedAdapter, models: tuple[str, ...] = ("tiny-phi",)) -> Shop:
    return Shop(models=models, adapters=adapters)


def test_an_adapter_is_a_model_of_its_own(poems: NamedAdapter, tales: NamedAdapter) -> None:
    models = shop_of(poems, tales).models
    names = {one.id: one.parent for one in models.names()}
    assert names == {"tiny-phi": None, "tiny-phi+Poems_2": "tiny-phi", "tiny-phi+tales": "tiny-phi"}
    for name in (*names, "tiny_phi+poems-2", "Tiny-Phi+TALES"):
        assert models.describe(name).id.casefold().startswith("tiny")
        assert models.locate(name).path == TINY_PHI
    assert models.describe("tiny-phi+POEMS-2").parent == "tiny-phi"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tiny-phi+prose", "adapter 'prose' is not served here"),
        ("tiny-phi+", "adapter '' is not served here"),
        ("tiny-phi+tales:0.5", "adapter 'tales:0.5' is not served here; the scale is that of phi serve --adapter"),
        ("tiny-phi+prose:0.5", "adapter 'prose:0.5' is not served here"),
        ("tiny-phi+tales+tales", "'tiny-phi+tales+tales' has several adapters, and a request can name one"),
        ("tiny-phi+tales+prose", "adapter 'prose' is not served here"),
        ("tiny-phi" + "+tales" * 3000, "has several adapters, and a request can name one"),
        ("tiny-phi" + "+prose" * 3000, "'tiny-phi+prose+prose"),
        ("other+tales", "'other'"),
        ("tales", "'tales'"),
        ("+tales", "no model was named"),
    ],
)
def test_names_that_mean_nothing(tales: NamedAdapter, name: str, words: str) -> None:
    shop = shop_of(tales)
    with pytest.raises(NotFoundError) as caught:
        shop.use(name)
    assert words in caught.value.message
    assert "choose one of tiny-phi, tiny-phi+tales" in caught.value.hint or "tiny-phi" in caught.value.hint
    assert shop.engines == []


def test_one_engine_answers_with_all_of_them(poems: NamedAdapter, tales: NamedAdapter) -> None:
    shop = shop_of(poems, tales)
    for name in ("tiny-phi", "tiny-phi+poems-2", "tiny-phi+tales"):
        shop.use(name)
    (engine,) = shop.engines
    assert [one.path for one in engine.settings.adapters] == [poems.adapter.path, tales.adapter.path]
    assert [one.scale for one in engine.settings.adapters] == [0, 0], "what names none gets none"
    assert engine.settings.cache_ram_mib == 0, "it would hand what one adapter computed to another"


def test_scales_of_requests(poems: NamedAdapter, tales: NamedAdapter) -> None:
    loaded = (poems, tales)
    assert scales_for("tiny-phi", loaded) == (0, 0)
    assert scales_for("tiny-phi+poems-2", loaded) == (0.5, 0)
    assert scales_for("tiny-phi+Tales", loaded) == (0, 1)


def test_memory_counts_them(poems: NamedAdapter) -> None:
    with_it, without = shop_of(poems), shop_of()
    for shop in (with_it, without):
        shop.use("tiny-phi")
    more = with_it.ledger.shares[0].other_bytes - without.ledger.shares[0].other_bytes
    cache_bytes = without.engines[0].settings.cache_ram_mib << 20
    assert more + cache_bytes >= poems.adapter.path.stat().st_size


def test_what_fits_no_model_is_refused_at_the_start(tales: NamedAdapter, tmp_path: Path) -> None:
    wide = NamedAdapter("wide", Adapter(write_gguf(tmp_path / "wide.gguf", WIDE)))
    with pytest.raises(WrongBaseError, match="8192 x 3072 in the adapter, but 384 x 128 in the model"):
        shop_of(tales, wide)
    shutil.copy(TINY_PHI, tmp_path / "other.gguf")
    with pytest.raises(WrongBaseError, match="wide fits none of the models"):
        shop_of(tales, wide, models=("tiny-phi", str(tmp_path / "other.gguf")))


def test_two_of_the_same_name(tales: NamedAdapter, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two of the adapters are called"):
        shop_of(tales, NamedAdapter("Tales", Adapter(write_gguf(tmp_path / "b.gguf"))))


def test_a_file_that_is_deleted_does_not_stop_the_model(tales: NamedAdapter) -> None:
    shop = shop_of(tales)
    tales.adapter.path.rename(tales.adapter.path.with_suffix(".away"))
    shop.use("tiny-phi")
    with pytest.raises(NotFoundError, match="does not fit"):
        shop.use("tiny-phi+tales")
    tales.adapter.path.with_suffix(".away").rename(tales.adapter.path)
    with pytest.raises(NotFoundError, match="was loaded without the adapter tales"):
        shop.use("tiny-phi+tales")
    shop.models.let_go("tiny-phi")
    shop.use("tiny-phi+tales")
