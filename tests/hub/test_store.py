"""The layout that other tools find: compared with huggingface_hub itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir, try_to_load_from_cache

from phicli.errors import IntegrityError
from phicli.hub import store

COMMIT = "a" * 40
ETAG = "b" * 64


def put(folder: Path, name: str = "m.gguf", content: bytes = b"x", revision: str | None = "main") -> Path:
    partial = store.partial_path(folder, "some/repo", ETAG)
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content)
    return store.place(folder, "some/repo", COMMIT, revision, name, ETAG, partial)


def test_huggingface_hub_finds_it_by_branch_and_by_commit(tmp_path: Path) -> None:
    path = put(tmp_path, "sub/m.gguf")
    for revision in ("main", COMMIT):
        assert try_to_load_from_cache("some/repo", "sub/m.gguf", cache_dir=tmp_path, revision=revision) == str(path)
    (repo,) = scan_cache_dir(tmp_path).repos
    (revision_info,) = repo.revisions
    assert revision_info.refs == {"main"}
    assert [str(file.blob_path.name) for file in revision_info.files] == [ETAG]
    assert not scan_cache_dir(tmp_path).warnings


def test_a_partial_file_is_seen_as_one(tmp_path: Path) -> None:
    partial = store.partial_path(tmp_path, "some/repo", ETAG)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"half")
    (tmp_path / "models--some--repo" / "snapshots").mkdir()
    assert [file.file_path for file in scan_cache_dir(tmp_path).incomplete_files] == [partial]


def test_links_are_relative_so_that_the_cache_can_move(tmp_path: Path) -> None:
    path = put(tmp_path / "one")
    assert not os.path.isabs(os.readlink(path))  # noqa: PTH115, PTH117
    (tmp_path / "one").rename(tmp_path / "two")
    moved = tmp_path / "two" / path.relative_to(tmp_path / "one")
    assert moved.read_bytes() == b"x"


def test_another_content_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = put(tmp_path, content=b"old")
    other = store.partial_path(tmp_path, "some/repo", "c" * 64)
    other.write_bytes(b"new")
    second = store.place(tmp_path, "some/repo", COMMIT, "main", "m.gguf", "c" * 64, other)
    assert first == second
    assert second.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["../m.gguf", "/m.gguf", "a/../../m.gguf", "a//m.gguf", "", "a\\b.gguf", "."])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError):
        store.snapshot_path(tmp_path, "some/repo", COMMIT, name)


@pytest.mark.parametrize("etag", ["../x", "a/b", "", "a.b", "x" * 200])
def test_contents_with_odd_names_are_refused(tmp_path: Path, etag: str) -> None:
    with pytest.raises(IntegrityError):
        store.blob_path(tmp_path, "some/repo", etag)


@pytest.mark.parametrize("repo", ["a", "a/b/c", "../a", "a/..", "a--b/c", "", "/a"])
def test_what_is_no_repository_is_refused(tmp_path: Path, repo: str) -> None:
    with pytest.raises(IntegrityError):
        store.repo_folder(tmp_path, repo)


def test_without_links_the_names_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As huggingface_hub does it; a content that has a linked name already is copied, so that the link stays good."""
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    path = put(tmp_path)
    assert not path.is_symlink()
    assert try_to_load_from_cache("some/repo", "m.gguf", cache_dir=tmp_path) == str(path)
    assert not list((tmp_path / "models--some--repo" / "blobs").iterdir())
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "0")
    linked = put(tmp_path, "linked.gguf", b"y")
    assert linked.is_symlink()
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "true")
    copied = store.link(tmp_path, "some/repo", "d" * 40, None, "linked.gguf", ETAG)
    assert not copied.is_symlink()
    assert (copied.read_bytes(), linked.read_bytes()) == (b"y", b"y")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_the_umask_says_who_may_read(tmp_path: Path, mask: int) -> None:
    """Every file and folder: other users of a shared cache read the branch before they find a model."""
    before = os.umask(mask)
    try:
        put(tmp_path / "hub", "sub/m.gguf")
    finally:
        os.umask(before)
    made = [path for path in (tmp_path / "hub", *(tmp_path / "hub").rglob("*")) if not path.is_symlink()]
    assert len(made) == 10
    for path in made:
        full = 0o777 if path.is_dir() else 0o666
        assert path.stat().st_mode & 0o777 == full & ~mask, path
