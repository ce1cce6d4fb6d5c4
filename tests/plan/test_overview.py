"""What ``phi list`` has to show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.quants import PREFERRED_QUANTS
from phicli.catalog.types import Catalog, GgufFile, GgufSource, Variant
from phicli.errors import UsageError
from phicli.hub.download.planning import usual_quant
from phicli.hub.verified import record
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.overview import best_file, best_of, overview
from tests.support.cache_layout import NEW, put_in_cache

NOTHING: tuple[InstalledModel, ...] = ()


def variant(name: str = "phi-x", *sources: GgufSource, architecture: str | None = "phi3", family: str = "x") -> Variant:
    return Variant(
        id=name,
        family=family,
        title="A model",
        parameters=1_000_000,
        context_tokens=4096,
        license="MIT",
        runs_on="llama.cpp" if architecture else "a server far away",
        architecture=architecture,
        sources=sources,
    )


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing registered."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "hub"


def ids(**wanted: object) -> list[str]:
    return [row.id for row in overview(here=NOTHING, **wanted).rows]  # type: ignore[arg-type]


def test_all_is_the_whole_catalogue_in_its_order() -> None:
    assert ids(everything=True) == [one.id for one in catalog().variants]


def test_what_cannot_run_is_counted_and_left_out() -> None:
    found = overview(here=NOTHING)
    cannot = [one.id for one in catalog().variants if not one.runs_here]
    assert found.hidden == len(cannot) > 0
    assert not set(cannot) & {row.id for row in found.rows}
    assert overview(here=NOTHING, everything=True).hidden == 0


@pytest.mark.parametrize("typed", ["phi-3.5", "Phi3.5", "PHI_3_5"])
def test_a_family(typed: str) -> None:
    expected = [one.id for one in catalog().variants if one.family == "phi-3.5"]
    assert ids(everything=True, family=typed) == expected
    assert overview(here=NOTHING, family=typed).family == "phi-3.5"


def test_an_unknown_family_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        overview(here=NOTHING, family="phi-9")
    assert "phi-9" in caught.value.message
    for one in catalog().variants:
        assert one.family in caught.value.hint


def test_the_cache_and_strangers(hub: Path) -> None:
    book = Catalog((variant("phi-x", GgufSource("owner/x-GGUF")), variant("phi-y")))
    path = put_in_cache(hub, "owner/x-GGUF", "x-Q8_0.gguf", b"12345")
    put_in_cache(hub, "owner/x-GGUF", "README.md", b"text")
    put_in_cache(hub, "some-body/else-GGUF", "else-Q4_K_M.gguf", b"123")
    put_in_cache(hub, "owner/no-models", "config.json", b"{}")
    found = overview(book=book)
    assert [row.id for row in found.rows] == ["phi-x", "phi-y", "some-body/else-GGUF:q4_k_m"]
    (model,) = found.rows[0].installed
    assert (model.name, model.quant, model.path, model.size_bytes) == ("phi-x:q8_0", "Q8_0", path, 5)
    assert (model.origin, model.repo, model.revision, model.verified_at) == ("hub cache", "owner/x-GGUF", NEW, None)
    assert found.rows[1].installed == ()
    assert found.rows[2].variant is None
    assert [row.id for row in overview(book=book, only_installed=True).rows] == ["phi-x", "some-body/else-GGUF:q4_k_m"]
    assert [row.id for row in overview(book=book, only_installed=True, family="x").rows] == ["phi-x"]


def test_when_a_file_was_verified(hub: Path) -> None:
    book = Catalog((variant("phi-x", GgufSource("owner/x-GGUF")),))
    path = put_in_cache(hub, "owner/x-GGUF", "x-Q8_0.gguf", b"12345")
    record(path, "0" * 64)
    (model,) = installed_models(book)
    assert model.verified_at is not None
    path.write_bytes(b"changed")
    (model,) = installed_models(book)
    assert model.verified_at is None


def register(hub: Path, name: str, variant_id: str | None, size_bytes: int) -> Path:
    """A registration as ``phi cache import`` writes it, of a file of 7 bytes."""
    path = hub.parent / f"{name}.gguf"
    path.write_bytes(b"1234567")
    folder = hub.parent / "phi" / "data" / "models"
    folder.mkdir(parents=True, exist_ok=True)
    values = {"name": name, "path": str(path), "variant_id": variant_id, "quant": "Q6_K", "size_bytes": size_bytes}
    (folder / f"{name}.json").write_text(json.dumps({**values, "mtime_ns": 1, "sha256": None, "origin": "ollama"}))
    return path


def test_files_used_in_place(hub: Path) -> None:
    book = Catalog((variant("phi-x"),))
    known, stranger = register(hub, "mine", "phi-x", 7), register(hub, "other", None, 7)
    register(hub, "shrunk", "phi-x", 8)
    found = overview(book=book, only_installed=True)
    assert [row.id for row in found.rows] == ["phi-x", "other"]
    assert [(model.name, model.path, model.origin) for model in found.rows[0].installed] == [("mine", known, "ollama")]
    assert [model.path for model in found.rows[1].installed] == [stranger]


def test_the_best_file() -> None:
    first = GgufSource("a/one", files=(GgufFile("Q8_0", "8.gguf", 80), GgufFile("Q4_K_M", "4.gguf", 40)))
    second = GgufSource("b/two", files=(GgufFile("Q4_K_M", "other.gguf", 41),))
    best = best_file(variant("phi-x", first, second))
    assert best is not None
    assert (best.repo, best.filename, best.size_bytes, best.size_is_exact) == ("a/one", "4.gguf", 40, True)
    assert best_file(variant("phi-x", GgufSource("a/one"))) is None
    assert best_file(variant("phi-x")) is None


def test_the_best_file_is_the_one_that_a_pull_takes() -> None:
    """A pull asks the first repository first, whatever another one has."""
    large = GgufSource("a/one", files=(GgufFile("Q8_0", "8.gguf", 80), GgufFile("Q6_K", "6.gguf", 60)))
    usual = GgufSource("b/two", files=(GgufFile("Q4_K_M", "4.gguf", 40),))
    best = best_file(variant("phi-x", large, usual))
    assert best is not None
    assert (best.repo, best.quant, usual_quant(large)) == ("a/one", "Q6_K", "Q6_K")
    assert best_file(variant("phi-x", GgufSource("c/three"), usual)) is None


@pytest.mark.parametrize("name", [one.id for one in catalog().variants if one.sources])
def test_the_first_repository_of_the_catalogue_lists_what_a_pull_takes(name: str) -> None:
    one = next(found for found in catalog().variants if found.id == name)
    first, best = one.sources[0], best_file(one)
    if best is None:
        assert not first.files
    else:
        assert (best.repo, best.quant) == (first.repo, usual_quant(first))
        assert best.quant == PREFERRED_QUANTS[0]


def test_a_size_that_is_known_roughly() -> None:
    rough = GgufSource("a/one", files=(GgufFile("Q4_K_M", "4.gguf", size_approx_bytes=39),))
    exact = GgufSource("b/two", files=(GgufFile("Q4_K_M", "other.gguf", 41),))
    unknown = GgufSource("c/three", files=(GgufFile("Q4_K_M", "third.gguf"),))
    sizes = []
    for sources in ((rough, exact), (exact, rough), (unknown, exact), (unknown,)):
        best = best_file(variant("phi-x", *sources))
        assert best is not None
        assert best.repo == sources[0].repo
        sizes.append((best.size_bytes, best.size_is_exact))
    assert sizes == [(39, False), (41, True), (41, False), (None, False)]


def test_what_is_run_of_several(hub: Path) -> None:
    book = Catalog((variant("phi-x", GgufSource("owner/x")),))
    for quant in ("Q8_0", "Q4_K_M", "Q2_K"):
        put_in_cache(hub, "owner/x", f"x-{quant}.gguf", b"1")
    assert best_of(installed_models(book)).quant == "Q4_K_M"
