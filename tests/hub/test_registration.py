"""Models that stay where they are: their names, what they are matched to, and what happens when the file changes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import Catalog, GgufFile, GgufSource
from phicli.errors import IntegrityError, NotAModelError, NotFoundError, NotInstalledError, UsageError
from phicli.gguf_file.header import read_header
from phicli.hub import verified
from phicli.hub.in_place.matching import contradicts, identify
from phicli.hub.in_place.registration import register
from phicli.hub.in_place.registry import (
    RegisteredModel,
    find,
    free_name,
    is_current,
    registered,
    remember,
    unregister,
)
from phicli.plan.locate import locate
from tests.support.files import TINY_PHI
from tests.support.gguf_kinds import write_adapter
from tests.support.other_programs import phi_4_mini_bytes

LISTED = "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "My Model.gguf"
    path.write_bytes(phi_4_mini_bytes("Somebody's model"))
    return path


def known_hash(monkeypatch: pytest.MonkeyPatch, content: bytes, filename: str = "published.gguf") -> None:
    """A catalogue that lists ``content`` as a file of phi-4-mini."""
    file = GgufFile("Q4_K_M", filename, len(content), hashlib.sha256(content).hexdigest())
    changed = tuple(
        replace(variant, sources=(GgufSource("owner/Repo-GGUF", files=(file,)),))
        if variant.id == "phi-4-mini"
        else variant
        for variant in catalog().variants
    )
    monkeypatch.setattr("phicli.hub.in_place.matching.catalog", lambda: Catalog(changed, catalog().references))


# ------------------------------------------------------------------------------------------------- the registry


def test_a_file_is_known_by_its_own_name_and_stays_where_it_is(model: Path, home: Path) -> None:
    before = model.read_bytes()
    made = register(model)
    assert (made.already, made.model.name, made.model.path) == (False, "my-model", model)
    assert (made.model.variant_id, made.model.quant, made.model.origin) == (None, "Q4_K_M", "import")
    assert made.model.size_bytes == len(before) == model.stat().st_size
    assert (home / "data" / "models" / "my-model.json").is_file()
    assert registered() == (made.model,)
    assert find("My_Model") == find("mymodel") == made.model
    assert find("my-model-2") is None
    assert not list(home.rglob("*.gguf"))
    assert model.read_bytes() == before


def test_the_same_file_again_is_said_to_be_there(model: Path, tmp_path: Path) -> None:
    first = register(model)
    again = register(tmp_path / "elsewhere" / ".." / "My Model.gguf")
    assert (again.already, again.model) == (True, first.model)
    model.write_bytes(phi_4_mini_bytes("Somebody's model") + bytes(32))
    changed = register(model)
    assert (changed.already, changed.model.name) == (False, "my-model")
    assert changed.model.size_bytes != first.model.size_bytes
    assert len(registered()) == 1


def test_a_name_of_ones_own(model: Path) -> None:
    made = register(model, name="Work.1")
    assert find("work-1") == made.model
    assert register(model, name="work_1").model.name == "work_1"
    assert [one.name for one in registered()] == ["work_1"]


@pytest.mark.parametrize(
    "name", ["a/b", "a:q4", "m.gguf", "m.GGUF", "m.tar", "", ".hidden", "-x", "a b", "x" * 101, "ü"]
)
def test_what_reads_like_something_else_is_no_name(model: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        register(model, name=name)
    assert "--as NAME" in caught.value.hint
    assert registered() == ()


@pytest.mark.parametrize("name", ["phi-4-mini", "Phi_4.Mini", "phi4mini", "Phi-4-mini-instruct", "phi-3-mini"])
def test_names_of_the_catalogue_stay_its_own(model: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is already used in the catalog"):
        register(model, name=name)


def test_a_name_belongs_to_its_file_until_that_is_gone(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(phi_4_mini_bytes("Other"))
    register(model, name="work")
    with pytest.raises(UsageError, match="already used for"):
        register(other, name="WORK")
    model.unlink()
    assert register(other, name="work").model.path == other
    assert [one.path for one in registered()] == [other]


def test_a_free_name_is_found_where_the_first_choice_is_taken(model: Path, tmp_path: Path) -> None:
    register(model, name="work")
    assert free_name("work") == "work-local"
    assert free_name("phi4-mini:latest", "ollama") == "phi4-mini-latest"
    assert free_name("phi4-mini", "ollama") == "phi4-mini-ollama"
    assert free_name("§§") == "model"
    second = tmp_path / "b" / model.name
    second.parent.mkdir()
    second.write_bytes(model.read_bytes())
    unregister("work")
    assert register(model).model.name == "my-model"
    assert register(second).model.name == "my-model-local"


def test_forgetting_leaves_the_file(model: Path) -> None:
    register(model, name="work")
    assert unregister("Work")
    assert (registered(), find("work"), model.is_file()) == ((), None, True)
    assert not unregister("work")


def test_a_changed_or_missing_file_is_noticed(model: Path) -> None:
    made = register(model).model
    assert is_current(made)
    with model.open("ab") as file:
        file.write(b"\0")
    assert not is_current(made)
    model.unlink()
    assert not is_current(made)


def test_a_split_model_is_one_model_whichever_part_is_named(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-q8_0-0000{number}-of-00002.gguf" for number in (1, 2))
    first.write_bytes(phi_4_mini_bytes("M"))
    with pytest.raises(IntegrityError, match="other parts"):
        register(first)
    assert registered() == ()
    second.write_bytes(b"1234")
    made = register(second).model
    assert (made.path, made.name) == (first, "m-q8_0")
    assert made.size_bytes == first.stat().st_size + 4
    second.unlink()
    assert not is_current(made)


def test_an_adapter_that_an_earlier_version_registered_is_no_model(tmp_path: Path) -> None:
    path = write_adapter(tmp_path / "phi-4-mini.gguf")
    with pytest.raises(NotAModelError):
        register(path)
    status = path.stat()
    remember(RegisteredModel("old", path, "phi-4-mini", "F16", status.st_size, status.st_mtime_ns, None, "import"))
    assert is_current(registered()[0])
    with pytest.raises(NotInstalledError):
        locate("phi-4-mini")


def test_what_is_no_model_is_refused_and_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello " * 100)
    (tmp_path / "cut.gguf").write_bytes(TINY_PHI.read_bytes()[:1_000_000])
    for name, error in (("text", IntegrityError), ("cut", IntegrityError), ("none", NotFoundError)):
        with pytest.raises(error):
            register(tmp_path / f"{name}.gguf")
    with pytest.raises(UsageError, match="is a folder"):
        register(tmp_path)
    assert registered() == ()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_path_that_the_engine_cannot_be_told(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf"))
    path.write_bytes(phi_4_mini_bytes())
    with pytest.raises(UsageError, match=r"\?\.gguf is not UTF-8"):
        register(path)


# ---------------------------------------------------------------------------------------- what a file is matched to


def test_by_hash_whatever_it_is_called(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    known_hash(monkeypatch, model.read_bytes())
    made = register(model)
    assert made.identity.match is not None
    assert (made.identity.match.how, made.model.variant_id, made.model.quant) == ("hash", "phi-4-mini", "Q4_K_M")
    assert made.model.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()


def test_another_size_is_not_hashed(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    known_hash(monkeypatch, model.read_bytes() + b"\0")
    assert (register(model).model.sha256, verified.recorded(model)) == (None, None)


def test_a_hash_is_remembered_and_not_computed_twice(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    known_hash(monkeypatch, model.read_bytes())
    seen: list[int] = []
    identify(model, on_progress=lambda what, done, total: seen.append(done))
    assert seen
    assert seen[-1] == model.stat().st_size
    seen.clear()
    assert identify(model, on_progress=lambda what, done, total: seen.append(done)).match is not None
    assert seen == []


def test_a_hash_that_somebody_claims_is_taken(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    known_hash(monkeypatch, model.read_bytes())
    claimed = identify(model, claimed_sha256="0" * 64)
    assert (claimed.match, claimed.sha256) == (None, "0" * 64)


def test_by_the_name_of_a_published_file(tmp_path: Path) -> None:
    path = tmp_path / LISTED
    path.write_bytes(phi_4_mini_bytes("no name"))
    made = register(path)
    assert made.identity.match is not None
    assert (made.identity.match.how, made.model.variant_id, made.model.quant) == ("name", "phi-4-mini", "Q4_K_M")


def test_a_name_does_not_make_it_the_model(tmp_path: Path) -> None:
    path = tmp_path / LISTED
    path.write_bytes(phi_4_mini_bytes("no name", layers=31))
    assert register(path).model.variant_id is None


def test_a_published_name_and_size_with_another_hash_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = phi_4_mini_bytes()
    known_hash(monkeypatch, content, LISTED)
    path = tmp_path / LISTED
    path.write_bytes(content[:-1] + b"\1")
    found = identify(path)
    assert found.match is not None
    assert found.match.how == "name"
    assert found.note is not None
    assert "damaged" in found.note
    path.write_bytes(content)
    assert identify(path).note is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (phi_4_mini_bytes("Phi 4 Mini Instruct"), "phi-4-mini"),
        (phi_4_mini_bytes("phi-4-mini"), "phi-4-mini"),
        (phi_4_mini_bytes("Phi 4 Mini Reasoning"), "phi-4-mini-reasoning"),
        (phi_4_mini_bytes("Phi 4 Mini Instruct", layers=12), None),
        (phi_4_mini_bytes("Phi 4 Mini Instruct", architecture="llama"), None),
        (phi_4_mini_bytes("Phi 4 Mini Instruct My Finetune"), None),
        (phi_4_mini_bytes("Llama 3"), None),
    ],
)
def test_by_what_the_header_says(tmp_path: Path, content: bytes, expected: str | None) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    made = register(path)
    assert made.model.variant_id == expected
    if made.identity.match is not None:
        assert (made.identity.match.how, made.identity.match.quant) == ("header", "Q4_K_M")


def test_the_model_in_the_package_is_what_the_catalogue_says() -> None:
    (variant,) = [variant for variant in catalog().variants if variant.id == "tiny-phi"]
    assert not contradicts(read_header(TINY_PHI), variant)
