"""What ``phi show`` has to show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.gguf_file.header import read_header
from phicli.hub.in_place.registration import register
from phicli.hub.verified import record
from phicli.plan.description import VariantDescription, describe
from phicli.plan.file_description import FileDescription
from phicli.plan.identify import FormatChoice
from phicli.plan.overview import overview
from tests.support.cache_layout import put_in_cache
from tests.support.files import TINY_PHI


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing registered."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "hub"


def of_variant(name: str) -> VariantDescription:
    shown = describe(name)
    assert isinstance(shown, VariantDescription)
    return shown


def of_file(name: str | Path) -> FileDescription:
    shown = describe(str(name))
    assert isinstance(shown, FileDescription)
    return shown


@pytest.mark.parametrize("name", [variant.id for variant in catalog().variants])
def test_every_variant_is_described_with_sources_that_exist(name: str) -> None:
    shown = of_variant(name)
    variant = shown.variant
    assert variant.id == name
    assert len(shown.published) == sum(len(source.files) for source in variant.sources)
    named = {*variant.provenance.values(), *(score.source for score in variant.scores)}
    assert named <= set(shown.sources)
    assert all(shown.sources[key] == catalog().references[key] for key in shown.sources)


def test_a_quant_narrows_it_down(hub: Path) -> None:
    repo = of_variant("phi-4-mini").variant.sources[0].repo
    put_in_cache(hub, repo, "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf")
    put_in_cache(hub, repo, "microsoft_Phi-4-mini-instruct-Q8_0.gguf")
    shown = of_variant("Phi-4-mini:q8_0")
    assert shown.quant == "Q8_0"
    assert {file.quant for file in shown.published} == {"Q8_0"}
    assert [model.quant for model in shown.installed] == ["Q8_0"]
    assert [model.quant for model in of_variant("phi-4-mini").installed] == ["Q4_K_M", "Q8_0"]


def test_the_packaged_file() -> None:
    assert of_variant("tiny-phi").packaged_path == TINY_PHI
    assert of_variant("phi-4").packaged_path is None


def test_a_path_is_described_from_its_header(tmp_path: Path) -> None:
    shown = of_file(TINY_PHI)
    assert (shown.architecture, shown.general_name, shown.quant) == ("phi3", "tiny-phi", "F16")
    assert (shown.context_tokens, shown.original_context_tokens) == (1024, 256)
    assert (shown.layers, shown.heads, shown.kv_heads, shown.head_size, shown.hidden) == (4, 4, 2, 32, 128)
    assert shown.size_bytes == TINY_PHI.stat().st_size
    assert (shown.split_count, shown.complete, shown.has_chat_template) == (1, True, True)
    assert shown.variant is not None
    assert shown.variant.id == "tiny-phi"
    assert shown.prompt_format == FormatChoice("phi-4-mini", reasoning=True)
    assert shown.vocabulary is not None
    assert (shown.vocabulary.kind, shown.vocabulary.size) == ("gpt2", 1400)
    assert "<|user|>" in dict(shown.vocabulary.special_tokens).values()
    assert dict(shown.said)["license"] == "mit"
    assert shown.verified is None


def test_parameters_are_the_elements_of_the_weights() -> None:
    header = read_header(TINY_PHI)
    factors = sum(tensor.elements for tensor in header.tensors if "rope_factors" in tensor.name)
    assert factors > 0
    assert of_file(TINY_PHI).parameters == sum(tensor.elements for tensor in header.tensors) - factors


def test_a_verified_file(tmp_path: Path) -> None:
    path = tmp_path / "any.gguf"
    shutil.copy(TINY_PHI, path)
    record(path, "1" * 64)
    verified = of_file(path).verified
    assert verified is not None
    assert verified.sha256 == "1" * 64


def test_a_part_of_a_split_model_whose_rest_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "m-00001-of-00002.gguf"
    shutil.copy(TINY_PHI, path)
    alone = of_file(path)
    assert (alone.complete, alone.size_bytes) == (False, path.stat().st_size)
    (tmp_path / "m-00002-of-00002.gguf").write_bytes(b"12345")
    whole = of_file(path)
    assert (whole.complete, whole.size_bytes) == (True, path.stat().st_size + 5)


def test_a_repository_of_the_cache_that_the_catalogue_does_not_name(hub: Path) -> None:
    path = put_in_cache(hub, "some/Other-GGUF", "other-Q5_K_M.gguf")
    assert of_file("some/Other-GGUF").path == path


@pytest.mark.parametrize("filename", ["other-Q5_K_M.gguf", "odd.gguf"])
def test_the_name_in_the_overview_shows_that_file(hub: Path, filename: str) -> None:
    path = put_in_cache(hub, "some/Other-GGUF", filename)
    (row,) = overview(only_installed=True).rows
    assert row.id.startswith("some/Other-GGUF:")
    assert of_file(row.id).path == path


def test_a_name_that_was_registered_here(tmp_path: Path) -> None:
    path = tmp_path / "weights.gguf"
    shutil.copy(TINY_PHI, path)
    register(path, name="my-own")
    assert of_file("my-own").path == path


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="phi-4-mni") as caught:
        describe("phi-4-mni")
    assert "phi-4-mini" in caught.value.hint
    with pytest.raises(NotFoundError, match=r"none\.gguf"):
        describe(str(tmp_path / "none.gguf"))
    with pytest.raises(NotFoundError, match="q9"):
        describe("phi-4-mini:q9")
    with pytest.raises(NotFoundError, match="5000 characters"):
        describe("a" * 5000)


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("I am a text.\n" * 100)
    with pytest.raises(IntegrityError, match="text file"):
        describe(str(tmp_path / "text.gguf"))
    with pytest.raises(UsageError, match="is a folder"):
        describe(str(tmp_path))
    with pytest.raises(UsageError, match="empty"):
        describe("")
