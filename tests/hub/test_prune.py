"""Pruning: what is of no use any more goes, and nothing that somebody may need."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.hub import verified
from phicli.hub.disk.prune import QUIET_S, plan_prune, prune
from phicli.hub.in_place.registry import registered
from tests.support.cache_layout import NEW, OLD, Repo, photograph, problems_of_hub, register_by_hand
from tests.support.files import sha256

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
MINI_FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"
MINI_Q8 = "Phi-4-mini-instruct-Q8_0.gguf"


def test_prune_takes_what_newer_revisions_replace(cache: Path) -> None:
    repo = Repo(cache, MINI)
    repo.put(OLD, MINI_FILE, b"old")
    repo.put(OLD, "README.md", b"older words")
    new = repo.put(NEW, MINI_FILE, b"newer")
    repo.ref(NEW)
    plan = plan_prune(cache)
    assert [(one.repo, one.revision) for one in plan.revisions] == [(MINI, OLD)]
    assert plan.freed_bytes == len(b"old") + len(b"older words")
    assert prune(plan) == ()
    assert new.read_bytes() == b"newer"
    assert [revision.name for revision in (repo.root / "snapshots").iterdir()] == [NEW]
    assert problems_of_hub(cache) == []
    assert plan_prune(cache).is_empty


def pinned() -> str:
    sources = [source for variant in catalog().variants for source in variant.sources if source.repo == MINI]
    assert sources[0].revision
    return sources[0].revision


@pytest.mark.parametrize(
    ("old", "old_file", "refs"),
    [
        (OLD, MINI_Q8, [NEW]),  # only the old revision has it
        (OLD, MINI_FILE, [NEW, OLD]),  # a tag means it
        ("pinned", MINI_FILE, [NEW]),  # the catalogue pins it
        (OLD, "tokenizer.json", [NEW]),  # somebody needs what is beside the models
    ],
)
def test_prune_keeps_revisions_that_are_needed(cache: Path, old: str, old_file: str, refs: list[str]) -> None:
    repo = Repo(cache, MINI)
    repo.put(pinned() if old == "pinned" else old, old_file, b"old")
    repo.put(NEW, MINI_FILE, b"newer")
    for number, commit in enumerate(refs):
        repo.ref(commit, f"ref{number}")
    before = photograph(cache)
    plan = plan_prune(cache)
    assert plan.is_empty
    prune(plan)
    assert photograph(cache) == before


def test_prune_keeps_the_only_revision_and_the_newest_where_no_branch_is_known(cache: Path) -> None:
    repo = Repo(cache, MINI)
    repo.put(OLD, MINI_FILE, b"old")
    assert plan_prune(cache).is_empty
    repo.put(NEW, MINI_FILE, b"newer")
    os.utime(repo.root / "snapshots" / OLD, (1, 1))
    assert [one.revision for one in plan_prune(cache).revisions] == [OLD]
    (repo.root / "snapshots" / NEW / MINI_FILE).resolve().unlink()
    assert plan_prune(cache).is_empty  # what would replace it is broken


def test_prune_touches_a_foreign_repository_only_when_phi_hashed_a_file_of_it(cache: Path) -> None:
    repo = Repo(cache, "a/One-GGUF")
    repo.put(OLD, "m.gguf", b"old")
    new = repo.put(NEW, "m.gguf", b"newer")
    repo.ref(NEW)
    assert plan_prune(cache).is_empty
    verified.record(new, sha256(b"newer"))
    assert [one.revision for one in plan_prune(cache).revisions] == [OLD]


@pytest.mark.parametrize(
    ("repo", "end", "age_s", "reason"),
    [
        (MINI, ".phi", 2 * QUIET_S, None),
        (MINI, ".0123abcd", 2 * QUIET_S, None),
        (MINI, ".phi", 0.0, "a moment ago"),
        ("a/Foreign", ".phi", 2 * QUIET_S, None),
        ("a/Foreign", ".0123abcd", 2 * QUIET_S, "did not download"),
    ],
)
def test_partial_downloads_without_a_lock(cache: Path, repo: str, end: str, age_s: float, reason: str | None) -> None:
    path = Repo(cache, repo).partial("ab" * 32 + end, 100, age_s=age_s)
    plan = plan_prune(cache)
    assert plan.freed_bytes == (0 if reason else 100)
    prune(plan)
    assert path.exists() == (reason is not None)
    assert [reason in one.reason for one in plan.kept if reason] == ([True] if reason else [])


@pytest.mark.process
def test_a_partial_download_whose_lock_is_held_stays(cache: Path) -> None:
    etag = "ab" * 32
    path = Repo(cache, MINI).partial(f"{etag}.phi", 100, age_s=2 * QUIET_S)
    lock = cache / ".locks" / f"models--{MINI.replace('/', '--')}" / f"{etag}.lock"
    lock.parent.mkdir(parents=True)
    code = (
        "import sys\n"
        "from huggingface_hub.utils import WeakFileLock\n"
        f"with WeakFileLock({str(lock)!r}):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        plan = plan_prune(cache)
        assert [one.reason for one in plan.kept] == ["a download is writing it"]
        prune(plan)
        assert path.exists()
        holder.stdin.close()
        holder.wait()
    lock.touch()  # the hub may remove it when it lets go
    os.utime(path, (time.time(), time.time()))  # a lock that is free says more than the time
    prune(plan_prune(cache))
    assert not path.exists()


def test_a_download_that_begins_after_the_plan_is_left_alone(cache: Path) -> None:
    from filelock import FileLock

    etag = "ab" * 32
    path = Repo(cache, MINI).partial(f"{etag}.phi", 100, age_s=2 * QUIET_S)
    lock = cache / ".locks" / f"models--{MINI.replace('/', '--')}" / f"{etag}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    plan = plan_prune(cache)
    assert len(plan.partials) == 1
    with FileLock(lock):
        assert [one.reason for one in prune(plan)] == ["a download is writing it"]
    assert path.exists()


def test_prune_forgets_names_whose_files_are_gone(cache: Path, home: Path, tmp_path: Path) -> None:
    here = tmp_path / "here.gguf"
    here.write_bytes(b"x")
    register_by_hand(home, "here", here, 1)
    register_by_hand(home, "gone", tmp_path / "gone.gguf", 1)
    plan = plan_prune(cache)
    assert [model.name for model in plan.registrations] == ["gone"]
    prune(plan)
    assert [model.name for model in registered()] == ["here"]


def test_prune_keeps_a_revision_that_a_registered_name_leads_into(cache: Path, home: Path) -> None:
    repo = Repo(cache, MINI)
    path = repo.put(OLD, MINI_FILE, b"old")
    repo.put(NEW, MINI_FILE, b"newer")
    repo.ref(NEW)
    register_by_hand(home, "mine", path, 3)
    assert plan_prune(cache).is_empty


def test_repositories_without_an_owner(cache: Path) -> None:
    """``gpt2`` and its like are older than owners, and lie in many caches."""
    partial = Repo(cache, "gpt2").partial("ab" * 32 + ".0123abcd", age_s=2 * QUIET_S)
    plan = plan_prune(cache)
    assert [(kept.partial.repo, kept.partial.path) for kept in plan.kept] == [("gpt2", partial)]
    assert plan.is_empty
