"""Parameters and context of models that the catalog does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.hub.disk.inventory import inventory
from phicli.plan.model_facts import ModelFacts, facts_by_path, facts_of
from phicli.plan.overview import overview
from phicli.ui.models.data import overview_data
from tests.gguf_file.gguf_bytes import U16, pair, small_file
from tests.support.cache_layout import put_in_cache, register_by_hand

SMALL = ModelFacts(parameters=1032, context_tokens=1024)
"""What is in the header of ``small_file``: 256 x 4 weights and 8."""


def part(number: int) -> bytes:
    return small_file(tags=pair("split.count", U16, 2), name=pair("split.no", U16, number))


def test_the_catalog_s_for_what_it_knows() -> None:
    assert facts_of("phi-4-mini", Path("/nowhere.gguf")) == ModelFacts(3_800_000_000, 131_072)


def test_all_parts_of_a_split_model_count(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2))
    first.write_bytes(part(0))
    assert facts_of(None, first) == ModelFacts(None, 1024)
    second.write_bytes(part(1))
    assert facts_of(None, first) == ModelFacts(2064, 1024)


def test_a_file_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    assert facts_of(None, tmp_path / "x.gguf") == facts_of("nosuch", tmp_path / "gone.gguf") == ModelFacts()


def test_phi_list_and_cache_list_know_imported_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(small_file())
    register_by_hand(tmp_path / "phi", "mine", mine, mine.stat().st_size)
    register_by_hand(tmp_path / "phi", "gone", tmp_path / "gone.gguf", 7)
    cached = put_in_cache(tmp_path / "hub", "some/Other-GGUF", "other.Q8_0.gguf", small_file())
    rows = {row["id"]: row for row in overview_data(overview(only_installed=True))["models"]}
    for name in ("mine", "some/Other-GGUF:q8_0"):
        assert (rows[name]["parameters"], rows[name]["context_tokens"]) == (1032, 1024)
    assert facts_by_path(inventory()) == {mine: SMALL, cached: SMALL}
