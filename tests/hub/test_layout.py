"""One module knows the layout of the Hugging Face cache, and knows it as huggingface_hub does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

import phicli
from phicli.hub.layout import (
    is_hub_repo,
    is_partial,
    lock_path,
    partial_name,
    repo_name,
    repo_root,
    root_of_snapshot,
    snapshot_around,
    snapshot_folder,
    writer_of,
)

COMMIT = "1" * 40
HERE = Path("/cache")


@pytest.mark.parametrize("repo", ["owner/name", "some-owner/Some-Model-GGUF", "o_1/a.b-c"])
def test_a_repository_and_its_folder_lead_to_each_other(repo: str) -> None:
    assert is_hub_repo(repo)
    root = repo_root(HERE, repo)
    assert root.name == repo_folder_name(repo_id=repo, repo_type="model")
    assert constants.REPO_ID_SEPARATOR == "--"
    assert repo_name(root) == repo


@pytest.mark.parametrize("repo", ["owner", "a--b/c", "owner/a--b", "../x", "owner/name/more", ""])
def test_names_without_a_folder_of_their_own(repo: str) -> None:
    assert not is_hub_repo(repo)


def test_the_snapshot_around_a_file() -> None:
    snapshot = snapshot_folder(repo_root(HERE, "owner/name"), COMMIT)
    assert snapshot_around(snapshot / "sub" / "m.gguf") == snapshot
    assert snapshot_around(snapshot_folder(repo_root(HERE, "owner/name"), "main") / "m.gguf") is None
    assert snapshot_around(snapshot_folder(HERE / "models--gpt2", COMMIT) / "m.gguf") is None
    assert snapshot_around(snapshot_folder(HERE / "datasets--owner--name", COMMIT) / "m.gguf") is None
    assert snapshot_around(Path("/home/m.gguf")) is None


def test_the_repository_of_a_snapshot() -> None:
    root = repo_root(HERE, "owner/name")
    assert root_of_snapshot(snapshot_folder(root, COMMIT), HERE) == root
    assert root_of_snapshot(snapshot_folder(root, COMMIT) / "sub", HERE) == root
    for elsewhere in (root, root / "blobs" / "x", Path("/other") / root.name / "snapshots" / COMMIT):
        assert root_of_snapshot(elsewhere, HERE) is None


def test_who_writes_a_partial_download() -> None:
    names = {
        partial_name("abc"): ("abc", True),
        "abc.0123abcd.incomplete": ("abc", False),
        "abc.incomplete": ("abc", False),
        "a.b.phi.incomplete": ("a.b", True),
    }
    for name, expected in names.items():
        assert is_partial(Path(name))
        assert writer_of(Path(name)) == expected
    assert not is_partial(Path("abc"))


def test_the_lock_lies_beside_the_repositories() -> None:
    assert lock_path(HERE, "owner/name", "abc") == HERE / ".locks" / "models--owner--name" / "abc.lock"


def test_no_other_module_spells_the_layout_out() -> None:
    package = Path(phicli.__file__).parent
    spelled = re.compile(r"""["']models--|["']snapshots["']|["']refs["']|["']\.locks["']|\.incomplete["']""")
    texts = {path: path.read_text("utf-8") for path in package.rglob("*.py") if path != package / "hub" / "layout.py"}
    assert len(texts) > 200
    assert [path.name for path, text in texts.items() if spelled.search(text)] == []
