"""Folders of models that are links: people keep publishers and repositories on another disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phicli.catalog.types import GgufSource
from phicli.errors import UsageError
from phicli.hub.cache import installed_in
from phicli.hub.disk.inventory import inventory
from phicli.hub.disk.removal import plan_removal, remove
from phicli.hub.in_place.lm_studio import find_lm_studio
from phicli.hub.in_place.ollama import find_ollama
from phicli.hub.layout import files_of
from phicli.hub.walking import walk
from tests.support.cache_layout import NEW, Repo, photograph
from tests.support.other_programs import phi_4_mini_bytes, put_in_lm_studio, put_in_ollama

CONTENT = phi_4_mini_bytes()
CONTAINS = "the link leads back to a folder that contains it"
SEARCHED = "the link leads to a folder that was already searched"
BROKEN = "the link is broken"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_each_folder_is_entered_once_by_a_path_without_links_first(models: Path) -> None:
    (models / "z" / "deep").mkdir(parents=True)
    (models / "z" / "deep" / "file").touch()
    (models / "a").symlink_to(models / "z")
    (models / "z" / "deep" / "up").symlink_to(models / "z")
    below = walk(models)
    assert below.files == (models / "z" / "deep" / "file",)
    assert below.skipped == ((models / "a", SEARCHED), (models / "z" / "deep" / "up", SEARCHED))


def test_links_to_what_is_around_the_folder_are_not_followed(models: Path) -> None:
    (models / "self").symlink_to(models)
    (models / "root").symlink_to("/")
    (models / "circle").symlink_to(models / "circle")
    assert walk(models).skipped == ((models / "root", CONTAINS), (models / "self", CONTAINS))
    assert walk(models).files == (models / "circle",)


def test_a_chain_of_links_between_two_disks_ends(models: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for disk, other in ((one, two), (two, one)):
        disk.mkdir()
        (disk / "file").touch()
        (disk / "other").symlink_to(other)
    (models / "one").symlink_to(one)
    below = walk(models)
    assert below.files == (models / "one" / "file", models / "one" / "other" / "file")
    assert below.skipped == ((models / "one" / "other" / "other", SEARCHED),)


def test_very_deep_folders_are_named(models: Path) -> None:
    deep = models.joinpath(*"123456789")
    deep.mkdir(parents=True)
    assert walk(models).skipped == ((deep, "it is more than 8 folders deep"),)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(models: Path) -> None:
    (models / "locked").mkdir(mode=0)
    assert walk(models).skipped == ((models / "locked", "the folder cannot be read: permission denied"),)


def test_lm_studio_on_another_disk(models: Path, tmp_path: Path) -> None:
    put_in_lm_studio(tmp_path / "disk", "pub/Phi-3.5-mini-GGUF/x.gguf", CONTENT)
    put_in_lm_studio(models, "own/repo/y.gguf", CONTENT)
    (models / "pub").symlink_to(tmp_path / "disk" / "pub")
    (models / "again").symlink_to(models / "own")
    (models / "Phi-3.5-gone").symlink_to(tmp_path / "gone")
    (models / "own" / ".hidden").symlink_to(tmp_path / "gone")
    findings = find_lm_studio((models,))
    assert [file.label for file in findings.found] == ["own/repo/y.gguf", "pub/Phi-3.5-mini-GGUF/x.gguf"]
    assert {one.label: one.reason for one in findings.skipped} == {"again": SEARCHED, "Phi-3.5-gone": BROKEN}


def test_ollama_on_another_disk(models: Path, tmp_path: Path) -> None:
    put_in_ollama(tmp_path / "disk", "phi4-mini:latest", CONTENT)
    registry = models / "manifests" / "registry.ollama.ai"
    registry.mkdir(parents=True)
    (registry / "library").symlink_to(tmp_path / "disk" / "manifests" / "registry.ollama.ai" / "library")
    (registry / "back").symlink_to(models / "manifests")
    (registry / "gone").symlink_to(tmp_path / "gone")
    (models / "blobs").symlink_to(tmp_path / "disk" / "blobs")
    findings = find_ollama((models,))
    assert [file.label for file in findings.found] == ["phi4-mini:latest"]
    assert {one.label: one.reason for one in findings.skipped} == {
        "registry.ollama.ai/back": CONTAINS,
        "registry.ollama.ai/gone": BROKEN,
    }


def test_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    for name in ("lm", "ollama", "hf"):
        (tmp_path / name).symlink_to(tmp_path / "mnt" / name)
    (lm,) = find_lm_studio((tmp_path / "lm" / "models",)).skipped
    (ollama,) = find_ollama((tmp_path / "ollama",)).skipped
    assert (lm.label, lm.reason) == (str(tmp_path / "lm"), BROKEN)
    assert (ollama.label, ollama.reason) == (str(tmp_path / "ollama"), BROKEN)
    assert inventory(tmp_path / "hf" / "hub").problems == (f"{tmp_path / 'hf'}: {BROKEN}",)


@pytest.fixture
def linked(tmp_path: Path) -> Repo:
    """A repository in the cache: one folder of its snapshot is a link to another disk."""
    repo = Repo(tmp_path / "hub", "some/Linked-GGUF")
    repo.ref(NEW)
    away = put_in_lm_studio(tmp_path / "disk", "q/a-Q4_K_M.gguf", CONTENT).parent
    put_in_lm_studio(tmp_path / "disk", "q/b-Q8_0.gguf", CONTENT)
    snapshot = repo.root / "snapshots" / NEW
    snapshot.mkdir(parents=True)
    (snapshot / "q").symlink_to(away)
    (snapshot / "loop").symlink_to(repo.root)
    return repo


def test_a_linked_folder_in_the_cache(linked: Repo) -> None:
    source = GgufSource(linked.name)
    assert [file.filename for file in installed_in(source, folder=linked.cache)] == ["q/a-Q4_K_M.gguf", "q/b-Q8_0.gguf"]
    found = inventory(linked.cache)
    assert [(model.name, model.linked, model.problem) for model in found.models] == [
        ("some/Linked-GGUF:q4_k_m", True, None),
        ("some/Linked-GGUF:q8_0", True, None),
    ]
    assert found.models_bytes == 0
    assert found.problems == (f"{linked.root / 'snapshots' / NEW / 'loop'}: {CONTAINS}",)


def test_the_link_goes_with_the_last_model_behind_it_and_the_files_stay(linked: Repo, tmp_path: Path) -> None:
    before = photograph(tmp_path / "disk")
    with pytest.raises(UsageError, match="is outside the cache"):
        remove(plan_removal("some/Linked-GGUF:Q8_0", folder=linked.cache))
    assert (linked.root / "snapshots" / NEW / "q").exists()
    remove(plan_removal("some/Linked-GGUF", folder=linked.cache))
    assert not os.path.lexists(linked.root / "snapshots" / NEW / "q")
    assert photograph(tmp_path / "disk") == before


def test_a_repository_behind_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "models--some--gone").symlink_to(tmp_path / "nowhere")
    assert inventory(tmp_path).problems == (f"{tmp_path / 'models--some--gone'}: {BROKEN}",)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_of_a_snapshot_that_cannot_be_read_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    problems: list[str] = []
    assert files_of(tmp_path, problems) == []
    assert problems == [f"{tmp_path / 'locked'}: the folder cannot be read: permission denied"]
