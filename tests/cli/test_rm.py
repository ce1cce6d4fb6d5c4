"""``phi rm`` as people use it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cache_layout import NEW, Repo, photograph
from tests.support.running import Phi

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
FOUR, EIGHT = "Phi-4-mini-instruct-Q4_K_M.gguf", "Phi-4-mini-instruct-Q8_0.gguf"


@pytest.fixture
def repo(folder: Path) -> Repo:
    repo = Repo(folder, MINI)
    repo.put(NEW, FOUR, b"x" * 4096)
    repo.put(NEW, EIGHT, b"y" * 8192)
    repo.ref(NEW)
    return repo


def test_dry_run_says_what_would_go(phi: Phi, repo: Repo, folder: Path) -> None:
    before = photograph(folder)
    run = phi("rm", "phi-4-mini", "--dry-run")
    assert (run.code, run.err) == (0, "")
    lines = run.out.splitlines()
    assert [line.split()[0] for line in lines] == ["phi-4-mini:q4_k_m", "phi-4-mini:q8_0", "frees"]
    assert lines[-1] == "frees 12 KiB"
    assert FOUR in lines[0]
    assert "\x1b" not in run.out
    assert photograph(folder) == before


def test_yes_removes_and_json_tells(phi: Phi, repo: Repo) -> None:
    run = phi("rm", "phi-4-mini:Q4_K_M", "--yes", "--json")
    assert run.code == 0
    data = run.json["data"]
    assert run.json["command"] == "rm"
    assert (data["done"], data["dry_run"], data["freed_bytes"], data["registrations"]) == (True, False, 4096, [])
    assert [(file["model"], file["size_bytes"]) for file in data["files"]] == [("phi-4-mini:q4_k_m", 4096)]
    assert not (repo.root / "snapshots" / NEW / FOUR).exists()
    assert (repo.root / "snapshots" / NEW / EIGHT).read_bytes() == b"y" * 8192
    run = phi("rm", "phi-4-mini", "-y")
    assert (run.code, run.out) == (0, "")
    assert run.err.endswith("removed; freed 8 KiB\n")
    assert not repo.root.exists()


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_off_a_terminal_without_yes_nothing_happens(phi: Phi, repo: Repo, folder: Path, json: list[str]) -> None:
    before = photograph(folder)
    run = phi("rm", "phi-4-mini", *json, stdin=b"y\n")
    assert run.code == 2
    assert "--yes" in (run.json["error"]["hint"] if json else run.err)
    assert photograph(folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "gone"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False)])
def test_on_a_terminal_it_asks(repo: Repo, environment: dict[str, str], answer: bytes, gone: bool) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", "rm", "phi-4-mini"],
        env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 4096)
        assert repo.root.exists()
        os.write(ours, answer)
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
    os.close(ours)
    assert process.returncode == 0
    assert repo.root.exists() != gone
    assert (b"nothing was removed" in seen) != gone


CASES = {
    "nothing there": (["phi-4"], 3, "phi-4 is not on this machine", "phi-4-mini:q4_k_m"),
    "another quant": (["phi-4-mini:q6_k"], 3, "q6_k is not on this machine", "phi-4-mini:q8_0"),
    "unknown": (["phi-nine"], 3, "model 'phi-nine' not found", "phi-4-mini:q4_k_m"),
    "a path": (["./model.gguf"], 2, "path of a file", "phi cache list"),
    "the packaged one": (["tiny-phi"], 2, "part of phi", "phi cache list"),
    "no model": ([], 2, "missing argument", "phi rm --help"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(phi: Phi, repo: Repo, folder: Path, case: str) -> None:
    arguments, code, says, hints = CASES[case]
    before = photograph(folder)
    run = phi("rm", *arguments, "--yes")
    assert (run.code, run.out) == (code, "")
    message, hint = run.err.split("→")
    assert says in message
    assert hints in hint
    error = phi("rm", *arguments, "--yes", "--json").json["error"]
    assert says in error["message"]
    assert photograph(folder) == before


def test_what_is_linked_to_another_disk_is_said_to_stay(phi: Phi, folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "away.gguf"
    away.write_bytes(b"z" * 3072)
    Repo(folder, MINI).link(NEW, FOUR, away)
    (model,) = phi("cache", "list", "--json").json["data"]["models"]
    assert (model["linked"], model["problem"]) == (True, None)
    assert "linked" in phi("cache", "list").out
    assert phi("list", "--installed").out.splitlines()[1].split()[0] == "phi-4-mini"
    run = phi("rm", "phi-4-mini", "--yes")
    assert "frees 0 B; 3 KiB are not freed, because the cache has only links to them" in run.err
    assert "removed; freed 0 B" in run.err
    assert away.stat().st_size == 3072
