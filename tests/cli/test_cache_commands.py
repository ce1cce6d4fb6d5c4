"""``phi cache list``, ``verify``, ``prune`` and ``dir`` as people use them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cache_layout import NEW, OLD, Repo, photograph, register_by_hand
from tests.support.files import TINY_PHI, sha256
from tests.support.hub import LoopbackHub
from tests.support.pulling import FILE, REPO
from tests.support.running import Phi

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
EIGHT = "Phi-4-mini-instruct-Q8_0.gguf"


@pytest.mark.parametrize("name", ["HF_HOME", "HF_HUB_CACHE"])
def test_dir_is_where_the_environment_says(phi: Phi, tmp_path: Path, name: str) -> None:
    wanted = tmp_path / "x" / "hub" if name == "HF_HOME" else tmp_path / "x"
    more = {name: str(tmp_path / "x")}
    assert phi("cache", "dir", **more).out == f"{wanted}\n"
    assert phi("cache", "dir", "--json", **more).json == {
        "schema": 1,
        "command": "cache dir",
        "data": {"folder": str(wanted)},
    }


def test_an_empty_cache(phi: Phi, folder: Path) -> None:
    for command in (["list"], ["verify"], ["prune"], ["prune", "--dry-run"]):
        run = phi("cache", *command)
        assert (run.code, run.out) == (0, "")
        assert run.err
    data = phi("cache", "list", "--json").json["data"]
    assert data == {
        "folder": str(folder), "total_bytes": 0, "models": [], "registered": [], "partials": [], "problems": [],
    }  # fmt: skip
    assert not folder.exists()


def test_list(phi: Phi, folder: Path) -> None:
    repo = Repo(folder, MINI)
    path = repo.put(NEW, EIGHT, b"y" * 8192)
    repo.link(OLD, EIGHT, path.resolve())
    repo.ref(NEW)
    repo.put(NEW, "broken-Q4_0.gguf", b"x").resolve().unlink()
    repo.partial("ab" * 32 + ".phi", 2048)
    os.utime(path.resolve(), (1_700_000_000, 1_600_000_000))
    run = phi("cache", "list")
    assert run.code == 0
    heading, *rows = run.out.splitlines()
    assert heading.split("  ")[0] == "MODEL"
    assert {row.split()[0] for row in rows} == {"phi-4-mini:q8_0", "phi-4-mini:q4_0"}
    whole = next(row for row in rows if "q8_0" in row)
    assert "8 KiB" in whole
    assert "2023-11-1" in whole
    assert "broken-Q4_0.gguf is a broken link" in run.out
    assert "phi cache prune" in run.err
    assert "\x1b" not in run.out
    data = phi("cache", "ls", "--json").json["data"]
    model = next(one for one in data["models"] if one["filename"] == EIGHT)
    assert (model["model"], model["id"], model["repo"]) == ("phi-4-mini:q8_0", "phi-4-mini", MINI)
    assert (model["revisions"], model["size_bytes"], data["total_bytes"]) == ([NEW, OLD], 8192, 8192)
    assert model["last_used"] == "2023-11-14T22:13:20+00:00"
    assert model["files"][0]["expected_sha256"] == sha256(b"y" * 8192)
    assert [partial["size_bytes"] for partial in data["partials"]] == [2048]


def test_verify(phi: Phi, folder: Path) -> None:
    repo = Repo(folder, MINI)
    path = repo.put(NEW, EIGHT, b"good")
    run = phi("cache", "verify")
    assert run.code == 0
    assert "ok" in run.out.splitlines()[1].split()
    assert phi("cache", "list", "--json").json["data"]["models"][0]["verified"] is not None
    path.resolve().write_bytes(b"evil")
    run = phi("cache", "verify", "phi-4-mini")
    assert run.code == 8
    for text in (run.out, run.err):
        assert sha256(b"good") in text
        assert sha256(b"evil") in text
    assert "phi cache export phi-4-mini:q8_0 FILE.tar there" in run.err
    assert "phi cache verify phi-4-mini:q8_0 --fix" in phi("cache", "verify", HF_HUB_OFFLINE="").err
    run = phi("cache", "verify", "--json")
    assert (run.code, run.json["error"]["code"]) == (8, "integrity")
    (file,) = run.json["data"]["files"]
    assert (file["result"], file["expected_sha256"], file["actual_sha256"]) == ("bad", sha256(b"good"), sha256(b"evil"))
    before = photograph(folder)
    run = phi("cache", "verify", "--fix")
    assert run.code == 8
    assert sha256(b"evil") in run.out
    assert "could not be downloaded again: phi is in offline mode" in run.err
    assert photograph(folder) == before
    assert phi("cache", "verify", "phi-4").code == 3


def test_fix_downloads_a_damaged_file_again(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.add_repo(REPO, {FILE: TINY_PHI, "README.md": b"# a model"})
    path = Path(online("pull", "phi-4-mini", "--revision", "main").out.strip())
    damaged = bytearray(TINY_PHI.read_bytes())
    damaged[-5] ^= 1
    path.resolve().write_bytes(damaged)
    assert online("cache", "verify").code == 8
    run = online("cache", "verify", "--fix", "--json")
    assert run.code == 0, run.err
    assert [file["result"] for file in run.json["data"]["files"]] == ["fixed"]
    assert path.read_bytes() == TINY_PHI.read_bytes()
    assert online("cache", "verify").code == 0
    assert online("rm", "phi-4-mini", "--yes").code == 0
    assert not path.parent.exists()


def test_prune(phi: Phi, folder: Path) -> None:
    repo = Repo(folder, MINI)
    repo.put(OLD, EIGHT, b"o" * 1024)
    repo.put(NEW, EIGHT, b"n" * 1024)
    repo.ref(NEW)
    partial = repo.partial("ab" * 32 + ".phi", 2048, age_s=9e6)
    young = repo.partial("cd" * 32 + ".phi", 2048)
    before = photograph(folder)
    run = phi("cache", "prune", "--dry-run")
    assert run.code == 0
    assert [line.split()[:2] for line in run.out.splitlines()] == [
        ["partial", "download"],
        ["superseded", "revision"],
        ["frees", "3"],
    ]
    assert "a moment ago" in run.err
    assert phi("cache", "prune").code == 2
    assert photograph(folder) == before
    data = phi("cache", "prune", "--yes", "--json").json["data"]
    assert (data["done"], data["freed_bytes"]) == (True, 3072)
    assert [one["path"] for one in data["partials"]] == [str(partial)]
    assert data["revisions"] == [{"repo": MINI, "revision": OLD}]
    assert [one["path"] for one in data["kept"]] == [str(young)]
    assert (partial.exists(), young.exists()) == (False, True)
    assert (repo.root / "snapshots" / NEW / EIGHT).read_bytes() == b"n" * 1024
    data = phi("cache", "prune", "--json").json["data"]
    assert (data["done"], data["freed_bytes"], data["partials"]) == (False, 0, [])


def test_links_that_go_round_in_circles(phi: Phi, folder: Path, environment: dict[str, str], tmp_path: Path) -> None:
    repo = Repo(folder, "some/repo")
    circle = repo.root / "blobs" / "circle"
    circle.parent.mkdir(parents=True)
    circle.symlink_to("circle")
    repo.link(NEW, "m-Q4_K_M.gguf", circle)
    register_by_hand(Path(environment["PHI_HOME"]), "mine", circle, 1)
    (model,) = phi("cache", "list", "--json").json["data"]["models"]
    assert "cannot be read" in model["problem"]
    assert phi("cache", "scan").code == 0
    assert phi("list", "--installed").code == 0
    assert phi("cache", "verify").code == 8
    assert phi("rm", "some/repo", "--yes").code == 0
    assert phi("cache", "list", "--json").json["data"]["models"] == []
    assert not repo.root.exists()


@pytest.mark.parametrize("command", [["cache", "import"], ["cache", "export", "tiny-phi"]], ids=" ".join)
def test_a_name_that_no_file_can_have(phi: Phi, command: list[str]) -> None:
    done = phi(*command, "x" * 5000)
    assert (done.code, "too long" in done.err) == (2, True)
