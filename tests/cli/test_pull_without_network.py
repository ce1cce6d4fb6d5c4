"""``phi pull`` of what is here already: on a cache that is read-only, and without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.disks import make_read_only, small_file_system
from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.running import Phi

EIGHT = "m-Q8_0.gguf"


@pytest.fixture
def pulled(hub: LoopbackHub, online: Phi) -> Any:
    """A repository that has no file of the usual quantization, in the cache."""
    repo = hub.add_repo("some/eight", {EIGHT: TINY_PHI})
    assert online("pull", "some/eight").code == 0
    return repo


@pytest.fixture
def read_only(pulled: Any, folder: Path, tmp_path: Path) -> Iterator[Path]:
    """The same cache on a file system that nobody can write to."""
    with small_file_system(tmp_path / "shared", "size=8m") as shared:
        shutil.copytree(folder, shared / "hub", symlinks=True)
        make_read_only(shared)
        yield shared / "hub"


@pytest.mark.parametrize("more", [[], ["--revision", "main"]], ids=str)
def test_a_model_on_a_read_only_cache_is_already_there(online: Phi, read_only: Path, more: list[str]) -> None:
    done = online("pull", "some/eight", *more, HF_HUB_CACHE=str(read_only))
    assert done.code == 0
    assert Path(done.out.strip()).is_relative_to(read_only)
    assert "some/eight is already downloaded" in done.err
    data = online("pull", "some/eight", *more, "--json", HF_HUB_CACHE=str(read_only)).json["data"]
    assert (data["was_there"], data["verified"], data["downloaded_bytes"]) == (True, True, 0)


def test_the_same_content_at_a_newer_commit(online: Phi, pulled: Any, read_only: Path) -> None:
    pulled.update({"README.md": b"new"})
    done = online("pull", "some/eight", HF_HUB_CACHE=str(read_only))
    assert done.code == 0
    assert "is read-only, but nothing in it needs to change" in done.err


def test_what_is_not_there_cannot_be_put_there(hub: LoopbackHub, online: Phi, read_only: Path) -> None:
    hub.add_repo("some/other", {EIGHT: TINY_PHI})
    for arguments in (["some/other"], ["some/eight", "--force"]):
        done = online("pull", *arguments, HF_HUB_CACHE=str(read_only))
        assert done.code == 2
        assert "HF_HUB_CACHE" in done.err


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_any_quantization_will_do(hub: LoopbackHub, online: Phi, pulled: Any, variable: str) -> None:
    hub.requests.clear()
    data = online("pull", "some/eight", "--json", **{variable: "1"}).json["data"]
    assert (data["quant"], data["was_there"], data["verified"]) == ("Q8_0", True, True)
    missing = online("pull", "some/eight:q4_k_m", **{variable: "1"})
    assert missing.code == 4
    assert f"some/eight:q4_k_m is not on this machine, and phi is in offline mode ({variable})" in missing.err
    assert "→ on this machine: some/eight:q8_0, tiny-phi; to bring a model from another machine" in missing.err
    assert not list(hub.requests)


def test_offline_a_revision_is_found_by_branch_and_commit(online: Phi, pulled: Any) -> None:
    for revision in ("main", pulled.commit):
        data = online("pull", "some/eight", "--revision", revision, "--offline", "--json").json["data"]
        assert data["revision"] == pulled.commit
    assert online("pull", "some/eight", "--revision", "v2", "--offline").code == 4


def test_offline_force_says_why_not(online: Phi, pulled: Any) -> None:
    done = online("pull", "some/eight", "--force", "--offline")
    assert done.code == 4
    assert "--force downloads all files again, and phi is in offline mode" in done.err


def test_what_is_here_names_registered_files_too(phi: Phi, tmp_path: Path) -> None:
    shutil.copy(TINY_PHI, tmp_path / "own.gguf")
    assert phi("cache", "import", str(tmp_path / "own.gguf"), "--as", "mine").code == 0
    for command in (["pull", "phi-4"], ["chat", "phi-4", "hello"]):
        assert (
            "on this machine: mine, tiny-phi; to bring a model from another machine: phi cache export"
            in phi(*command).err
        )


def test_a_quantization_that_cannot_be_needs_no_network(hub: LoopbackHub, online: Phi) -> None:
    done = online("pull", "phi-4-mini:q9")
    assert done.code == 3
    assert "try: phi pull phi-4-mini:q4_k_m" in done.err
    assert not list(hub.requests)


def test_a_mirror_without_hashes_is_told(hub: LoopbackHub, online: Phi) -> None:
    content = TINY_PHI.read_bytes()
    hub.add_repo("some/mirror", {EIGHT: TINY_PHI}, info={"siblings": [{"rfilename": EIGHT}]})
    hub.faults.add("resolve", method="HEAD", body=content, headers={"ETag": '"5f-abc"'}, times=None)
    done = online("pull", "some/mirror")
    assert done.code == 0
    assert f"the mirror does not report a hash of {EIGHT}" in done.err
    assert "no published hash is known" in done.err
    assert Path(done.out.strip()).read_bytes() == content
