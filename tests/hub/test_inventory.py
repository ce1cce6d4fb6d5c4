"""What is on disk is listed as huggingface_hub sees it, and what is broken is listed as broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir

from phicli.catalog.load import catalog
from phicli.hub import verified
from phicli.hub.cache import installed
from phicli.hub.disk.inventory import inventory
from phicli.plan.installed import installed_models
from tests.support.cache_layout import NEW, OLD, Repo
from tests.support.files import sha256

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
MINI_FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"


@pytest.fixture(autouse=True)
def environment_of(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))


def test_a_file_of_the_catalogue(cache: Path) -> None:
    repo = Repo(cache, MINI)
    path = repo.put(NEW, MINI_FILE, b"weights")
    repo.put(NEW, "README.md", b"hello")
    repo.ref(NEW)
    (model,) = inventory(cache).models
    assert (model.name, model.variant_id, model.quant) == ("phi-4-mini:q4_k_m", "phi-4-mini", "Q4_K_M")
    assert (model.repo, model.filename, model.revisions) == (MINI, MINI_FILE, (NEW,))
    assert (model.path, model.size_bytes, model.problem) == (path, 7, None)
    assert model.parts[0].content == path.resolve()
    assert model.parts[0].promised_sha256 == sha256(b"weights")
    assert model.verified_at is None
    verified.record(path, sha256(b"weights"))
    (model,) = inventory(cache).models
    record = verified.recorded(path)
    assert record is not None
    assert model.verified_at == record.verified_at


def test_the_catalogue_s_hash_counts_in_the_revision_that_it_pins(cache: Path) -> None:
    source = next(one for variant in catalog().variants for one in variant.sources if one.repo == MINI)
    listed = next(file for file in source.files if file.filename == MINI_FILE)
    assert source.revision
    assert listed.sha256
    repo = Repo(cache, MINI)
    repo.put(source.revision, MINI_FILE, b"pinned")
    repo.put(NEW, MINI_FILE, b"newer")
    promised = {model.revisions: model.parts[0].promised_sha256 for model in inventory(cache).models}
    assert promised == {(source.revision,): listed.sha256, (NEW,): sha256(b"newer")}


def test_sizes_and_blobs_are_huggingface_hub_s(cache: Path) -> None:
    one, two = Repo(cache, "a/One-GGUF"), Repo(cache, "b/Two-GGUF")
    one.put(OLD, "m-Q8_0.gguf", b"12345")
    one.put(NEW, "m-Q8_0.gguf", b"123456")
    one.put(NEW, "sub/m-Q4_0.gguf", b"1")
    one.ref(NEW)
    two.link(NEW, "n.gguf", two.shared_blob(b"shared", "ab" * 32))
    theirs = {
        (info.file_path.name, info.blob_path, info.size_on_disk)
        for repo in scan_cache_dir(cache).repos
        for revision in repo.revisions
        for info in revision.files
    }
    models = inventory(cache).models
    assert {(model.path.name, model.parts[0].content, model.size_bytes) for model in models} == theirs
    assert [model.name for model in models] == [
        "a/One-GGUF:q8_0",
        "a/One-GGUF:q4_0",
        "a/One-GGUF:q8_0",
        "b/Two-GGUF:n.gguf",
    ]


def test_the_same_content_in_two_revisions_is_one_model(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    blob = repo.put(OLD, "m.gguf", b"x").resolve()
    repo.link(NEW, "m.gguf", blob)
    os.utime(repo.root / "snapshots" / NEW, (1, 1))
    assert [model.revisions for model in inventory(cache).models] == [(OLD, NEW)]
    repo.ref(NEW)
    assert [model.revisions for model in inventory(cache).models] == [(NEW, OLD)]


def test_split_models(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    repo.put(NEW, "m-F16-00002-of-00002.gguf", b"123")
    (model,) = inventory(cache).models
    assert (model.filename, model.problem) == ("m-F16-00001-of-00002.gguf", "m-F16-00001-of-00002.gguf is missing")
    repo.put(NEW, "m-F16-00001-of-00002.gguf", b"12")
    (model,) = inventory(cache).models
    assert (model.quant, model.size_bytes, model.problem, len(model.parts)) == ("F16", 5, None, 2)


def test_what_is_no_model_is_left_out(cache: Path) -> None:
    Repo(cache, "a/Bert").put(NEW, "model.safetensors", b"x")
    Repo(cache, "a/Data", "datasets").put(NEW, "d.gguf", b"x")
    Repo(cache, "a/Pictures").put(NEW, "mmproj-F16.gguf", b"x")
    (cache / "models--stray").write_text("a file")
    found = inventory(cache)
    assert (found.models, found.partials, found.problems) == ((), (), ())
    assert inventory(cache / "none").models == ()


@pytest.mark.parametrize("through", ["snapshot", "blobs"])
def test_a_link_to_another_disk_is_used_as_any_other(cache: Path, tmp_path: Path, through: str) -> None:
    away = tmp_path / sha256(b"weights")
    away.write_bytes(b"weights")
    repo = Repo(cache, MINI)
    if through == "blobs":
        (repo.root / "blobs").mkdir(parents=True)
        (repo.root / "blobs" / away.name).symlink_to(away)
    path = repo.link(NEW, MINI_FILE, repo.root / "blobs" / away.name if through == "blobs" else away)
    (model,) = inventory(cache).models
    assert (model.problem, model.size_bytes, model.linked) == (None, 7, True)
    assert model.parts[0].promised_sha256 == sha256(b"weights")
    assert [one.path for one in installed_models()] == [path]
    variant = next(one for one in catalog().variants if one.id == "phi-4-mini")
    assert [one.path for one in installed(variant, folder=cache)] == [path]


def test_links_that_lead_to_no_file_are_listed_as_such(cache: Path, tmp_path: Path) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, "gone.gguf", b"x").resolve().unlink()
    repo.link(NEW, "folder.gguf", tmp_path)
    os.mkfifo(tmp_path / "pipe")
    repo.link(NEW, "pipe.gguf", tmp_path / "pipe")
    problems = {model.filename: model.problem for model in inventory(cache).models}
    assert problems == {
        "gone.gguf": "gone.gguf is a broken link",
        "folder.gguf": "folder.gguf is not a file",
        "pipe.gguf": "pipe.gguf is not a file",
    }
    assert installed_models() == ()
    variant = next(one for one in catalog().variants if one.id == "phi-4-mini")
    assert installed(variant, folder=cache) == ()


def test_partial_downloads(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    for name in ("ab" * 32 + ".phi", "ab" * 32 + ".0123abcd", "ab" * 32):
        repo.partial(name, 5)
    found = {partial.path.name: (partial.etag, partial.ours) for partial in inventory(cache).partials}
    assert found == {
        "ab" * 32 + ".phi.incomplete": ("ab" * 32, True),
        "ab" * 32 + ".0123abcd.incomplete": ("ab" * 32, False),
        "ab" * 32 + ".incomplete": ("ab" * 32, False),
    }
    theirs = {(info.file_path, info.size_on_disk) for info in scan_cache_dir(cache).incomplete_files}
    assert {(partial.path, partial.size_bytes) for partial in inventory(cache).partials} == theirs


@pytest.mark.parametrize(("read_after_s", "used"), [(-10, False), (60, True)])
def test_last_used_is_the_access_time_where_it_says_something(cache: Path, read_after_s: int, used: bool) -> None:
    path = Repo(cache, "a/One-GGUF").put(NEW, "m.gguf", b"x")
    if hasattr(os, "ST_NOATIME") and os.statvfs(cache).f_flag & os.ST_NOATIME:
        pytest.skip("this file system does not keep access times")
    os.utime(path.resolve(), (1_700_000_000 + read_after_s, 1_700_000_000))
    (model,) = inventory(cache).models
    assert model.last_used == (1_700_000_000 + read_after_s if used else None)
    assert model.last_modified == 1_700_000_000


def test_a_folder_where_a_link_to_itself_lies(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    repo.put(NEW, "m.gguf", b"x")
    (repo.root / "snapshots" / NEW / "loop").symlink_to(".")
    (repo.root / "snapshots" / NEW / "self.gguf").symlink_to("self.gguf")
    found = {model.filename: model.problem is None for model in inventory(cache).models}
    assert found == {"m.gguf": True, "self.gguf": False}
