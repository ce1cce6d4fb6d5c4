"""Removing: what was planned goes, and what it says is freed. huggingface_hub is real."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir

from phicli.hub import verified
from phicli.hub.disk.inventory import inventory
from phicli.hub.disk.prune import plan_prune
from phicli.hub.disk.removal import plan_removal, remove
from phicli.hub.in_place.registry import registered
from tests.support.cache_layout import NEW, OLD, OTHER, Repo, photograph, problems_of_hub, register_by_hand
from tests.support.files import sha256

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
MINI_FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"
MINI_Q8 = "Phi-4-mini-instruct-Q8_0.gguf"


def test_the_last_model_takes_its_repository_along(cache: Path, home: Path) -> None:
    repo = Repo(cache, MINI)
    path = repo.put(NEW, MINI_FILE, b"weights")
    repo.put(NEW, "README.md", b"hello")
    repo.ref(NEW)
    verified.record(path, sha256(b"weights"))
    assert len(list((home / "data" / "verified").iterdir())) == 1
    plan = plan_removal("phi-4-mini", folder=cache)
    before = photograph(cache)
    assert plan.freed_bytes == len(b"weights") + len(b"hello")
    assert photograph(cache) == before
    remove(plan)
    assert photograph(cache) == {}
    assert list((home / "data" / "verified").iterdir()) == []


def test_one_quant_of_two(cache: Path) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, MINI_FILE, b"four")
    kept = repo.put(NEW, MINI_Q8, b"eight8")
    readme = repo.put(NEW, "README.md", b"hello")
    repo.ref(NEW)
    plan = plan_removal("Phi-4-Mini:q4-k-m", folder=cache)
    assert ([model.filename for model in plan.models], plan.freed_bytes) == ([MINI_FILE], 4)
    remove(plan)
    assert [model.filename for model in inventory(cache).models] == [MINI_Q8]
    assert (kept.read_bytes(), readme.read_bytes()) == (b"eight8", b"hello")
    assert problems_of_hub(cache) == []
    assert not (repo.root / "blobs" / sha256(b"four")).exists()


def test_a_blob_that_another_file_needs_stays(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    blob = repo.put(NEW, "m-Q8_0.gguf", b"same").resolve()
    other = repo.link(OLD, "renamed-Q6_K.gguf", blob)
    repo.ref(NEW)
    plan = plan_removal("a/One-GGUF:Q8_0", folder=cache)
    assert plan.freed_bytes == 0
    remove(plan)
    assert other.read_bytes() == b"same"
    assert not (repo.root / "snapshots" / NEW).exists()
    assert problems_of_hub(cache) == []


def test_a_model_goes_from_all_revisions(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    blob = repo.put(NEW, "m-Q8_0.gguf", b"same").resolve()
    repo.link(OLD, "m-Q8_0.gguf", blob)
    repo.put(OTHER, "m-Q8_0.gguf", b"different")
    repo.put(OTHER, "n-Q4_0.gguf", b"n")
    repo.ref(NEW)
    plan = plan_removal("a/One-GGUF:m-Q8_0.gguf", folder=cache)
    assert plan.freed_bytes == len(b"same") + len(b"different")
    remove(plan)
    assert [(model.filename, model.revisions) for model in inventory(cache).models] == [("n-Q4_0.gguf", (OTHER,))]
    assert problems_of_hub(cache) == []


def test_content_that_repositories_share_goes_with_the_last_of_them(cache: Path) -> None:
    one, two = Repo(cache, "a/One-GGUF"), Repo(cache, "b/Two-GGUF")
    for repo in (one, two):
        repo.link(NEW, "m.gguf", repo.shared_blob(b"shared", "ab" * 32))
        repo.ref(NEW)
    store = cache / "blobs" / "ab" / ("ab" * 32)
    plan = plan_removal("a/One-GGUF", folder=cache)
    assert plan.freed_bytes == 0
    remove(plan)
    assert store.read_bytes() == b"shared"
    plan = plan_removal("b/Two-GGUF", folder=cache)
    assert plan.freed_bytes == 6
    remove(plan)
    assert not store.exists()


def test_copies_of_a_repository_have_the_same_commits(cache: Path) -> None:
    for name in ("a/Copy-GGUF", "b/Copy-GGUF", "c/Copy-GGUF"):
        Repo(cache, name).put(NEW, "m.gguf", name.encode())
        Repo(cache, name).ref(NEW)
    remove(plan_removal("b/Copy-GGUF", folder=cache))
    assert [model.repo for model in inventory(cache).models] == ["a/Copy-GGUF", "c/Copy-GGUF"]


def test_a_repository_with_a_broken_link_can_be_cleaned(cache: Path) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, MINI_FILE, b"gone").resolve().unlink()
    other = repo.put(NEW, MINI_Q8, b"eight8")
    shared = repo.link(OLD, "same-Q2_K.gguf", other.resolve())
    repo.ref(NEW)
    repo.ref(OTHER, "unfinished")
    assert problems_of_hub(cache)
    remove(plan_removal("phi-4-mini:q4_k_m", folder=cache))
    assert [model.filename for model in inventory(cache).models] == [MINI_Q8, "same-Q2_K.gguf"]
    plan = plan_removal("phi-4-mini:q8_0", folder=cache)
    assert plan.freed_bytes == 0
    remove(plan)
    assert shared.read_bytes() == b"eight8"
    plan = plan_removal("phi-4-mini:q2_k", folder=cache)
    assert plan.freed_bytes == 6
    remove(plan)
    assert not other.exists()


def test_a_registered_name_goes_and_its_file_stays(cache: Path, home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"mine")
    register_by_hand(home, "mine", mine, 4)
    plan = plan_removal("Mine", folder=cache)
    assert ([model.name for model in plan.registrations], plan.freed_bytes) == (["mine"], 0)
    remove(plan)
    assert (mine.read_bytes(), registered()) == (b"mine", ())


def test_a_name_for_a_file_in_the_cache_goes_with_the_file(cache: Path, home: Path) -> None:
    path = Repo(cache, MINI).put(NEW, MINI_FILE, b"weights")
    register_by_hand(home, "mine", path, 7)
    remove(plan_removal("mine", folder=cache))
    assert path.read_bytes() == b"weights"
    register_by_hand(home, "mine", path, 7)
    remove(plan_removal("phi-4-mini", folder=cache))
    assert (path.exists(), registered()) == (False, ())


def test_what_an_import_of_an_archive_made_goes_with_its_name(cache: Path, home: Path) -> None:
    path = home / "data" / "imported" / "mine" / "sub" / "mine.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    register_by_hand(home, "mine", path, 4)
    plan = plan_removal("mine", folder=cache)
    assert plan.freed_bytes == 4
    remove(plan)
    assert not (home / "data" / "imported" / "mine").exists()
    assert (home / "data" / "imported").is_dir()


def test_imported_files_stay_while_another_name_needs_them(cache: Path, home: Path, tmp_path: Path) -> None:
    path = home / "data" / "imported" / "u" / "u.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    (tmp_path / "link.gguf").symlink_to(path)
    for name, file in (("u", path), ("second", path), ("third", tmp_path / "link.gguf")):
        register_by_hand(home, name, file, 4)
    for name in ("u", "second"):
        plan = plan_removal(name, folder=cache)
        assert (plan.imported, plan.freed_bytes, [model.name for model in plan.registrations]) == ((), 0, [name])
        remove(plan)
        assert path.read_bytes() == b"mine"
    assert [model.name for model in registered()] == ["third"]
    remove(plan_removal("third", folder=cache))
    assert (registered(), path.exists()) == ((), False)


def test_a_record_that_leads_out_of_the_imports_deletes_nothing(cache: Path, home: Path, tmp_path: Path) -> None:
    (home / "data" / "imported").mkdir(parents=True)
    (tmp_path / "u.gguf").write_bytes(b"mine")
    register_by_hand(home, "mine", home / "data" / "imported" / ".." / ".." / ".." / "u.gguf", 4)
    register_by_hand(home, "whole", home / "data" / "imported", 4)
    for name in ("mine", "whole"):
        plan = plan_removal(name, folder=cache)
        assert plan.imported == ()
        remove(plan)
    assert (tmp_path / "u.gguf").read_bytes() == b"mine"
    assert (home / "data" / "imported").is_dir()


def test_the_plan_frees_what_huggingface_hub_says(cache: Path) -> None:
    repo = Repo(cache, MINI)
    for number, commit in enumerate((OLD, NEW)):
        repo.put(commit, MINI_FILE, b"w" * (number + 10))
        repo.put(commit, "README.md", b"the same")
    repo.ref(NEW)
    theirs = scan_cache_dir(cache).delete_revisions(OLD).expected_freed_size
    assert plan_prune(cache).freed_bytes == theirs == 10
    before = scan_cache_dir(cache).size_on_disk
    plan = plan_removal("phi-4-mini", folder=cache)
    remove(plan)
    assert plan.freed_bytes == before - scan_cache_dir(cache).size_on_disk


def test_a_repository_of_many_files_is_looked_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repo(cache, "a/One-GGUF")
    for number in range(50):
        repo.put(NEW, f"m{number}-Q8_0.gguf", b"%d" % number)
    looks: list[Path] = []

    def counted(folder: Path, root: Path) -> bool:
        looks.append(root)
        return True

    monkeypatch.setattr("phicli.hub.disk.deletion.is_within", counted)
    plan = plan_removal("a/One-GGUF", folder=cache)
    assert len(plan.models) == 50
    assert len(looks) == 1
