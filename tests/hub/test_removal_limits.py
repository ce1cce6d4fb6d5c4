"""Removing and pruning: what is not touched, and what is refused. huggingface_hub is real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.hub.disk.prune import QUIET_S, plan_prune, prune
from phicli.hub.disk.removal import plan_removal, remove
from tests.support.cache_layout import NEW, OLD, Repo, photograph
from tests.support.files import sha256

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
MINI_FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"
MINI_Q8 = "Phi-4-mini-instruct-Q8_0.gguf"


def test_a_link_out_of_the_cache_is_removed_and_not_followed(cache: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "etc"
    secrets.mkdir()
    (secrets / "passwd").write_text("root")
    (secrets / "x.gguf").write_text("mine")
    repo = Repo(cache, MINI)
    repo.link(NEW, MINI_FILE, secrets / "passwd")
    repo.link(NEW, "README.md", secrets / "passwd")
    repo.link(NEW, "notice", secrets)
    (repo.root / "blobs").mkdir()
    victim = Repo(cache, "b/Victim").put(NEW, "v.gguf", b"victim")
    repo.link(NEW, "v-Q8_0.gguf", victim.resolve())
    before = photograph(secrets), photograph(cache / "models--b--Victim")
    plan = plan_removal("phi-4-mini", folder=cache)
    assert plan.freed_bytes == 0
    remove(plan)
    assert (photograph(secrets), photograph(cache / "models--b--Victim")) == before
    assert not repo.root.exists()


def test_content_that_is_linked_to_another_disk_is_not_counted_and_stays(cache: Path, tmp_path: Path) -> None:
    away = tmp_path / "weights.bin"
    away.write_bytes(b"x" * 1000)
    repo = Repo(cache, MINI)
    blob = repo.blob(b"", sha256(b"x" * 1000))
    blob.unlink()
    blob.symlink_to(away)
    repo.link(NEW, MINI_FILE, blob)
    repo.put(NEW, "README.md", b"hello")
    repo.ref(NEW)
    plan = plan_removal("phi-4-mini", folder=cache)
    assert plan.freed_bytes == 5
    remove(plan)
    assert not repo.root.exists()
    assert away.read_bytes() == b"x" * 1000


def test_links_that_lead_nowhere_go_with_what_used_them(cache: Path, tmp_path: Path) -> None:
    repo = Repo(cache, MINI)
    for name, target in (("circle", "circle"), ("lost", tmp_path / "lost"), ("shared", tmp_path / "lost")):
        blob = repo.blob(b"", name)
        blob.unlink()
        blob.symlink_to(target)
    repo.link(NEW, MINI_FILE, repo.root / "blobs" / "circle")
    repo.link(OLD, MINI_FILE, repo.root / "blobs" / "lost")
    for name in (MINI_Q8, "other-Q6_K.gguf"):
        repo.link(NEW, name, repo.root / "blobs" / "shared")
    remove(plan_removal("phi-4-mini:q4_k_m", folder=cache))
    assert [path.name for path in (repo.root / "blobs").iterdir()] == ["shared"]
    remove(plan_removal("phi-4-mini:q8_0", folder=cache))
    assert [path.name for path in (repo.root / "blobs").iterdir()] == ["shared"]
    remove(plan_removal("phi-4-mini:q6_k", folder=cache))
    assert not repo.root.exists()


@pytest.mark.parametrize("level", ["repository", "snapshots", "snapshot", "blobs"])
def test_folders_that_are_links_are_not_entered(cache: Path, tmp_path: Path, level: str) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, f"sub/{MINI_FILE}", b"weights")
    repo.ref(NEW)
    path = {
        "repository": repo.root,
        "snapshots": repo.root / "snapshots",
        "snapshot": repo.root / "snapshots" / NEW,
        "blobs": repo.root / "blobs",
    }[level]
    away = tmp_path / "away"
    path.rename(away)
    path.symlink_to(away)
    (away / "elsewhere-Q6_K.gguf").write_text("elsewhere")
    before = photograph(away)
    with pytest.raises((UsageError, NotFoundError)):
        remove(plan_removal("phi-4-mini", folder=cache))
    prune(plan_prune(cache))
    assert photograph(away) == before


@pytest.mark.parametrize("beside", ["README.md", None])
def test_a_running_download_keeps_its_folders(cache: Path, beside: str | None) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, MINI_FILE, b"weights")
    if beside:
        repo.put(NEW, beside, b"hello")
    repo.ref(NEW)
    before = photograph(cache)
    partial = repo.partial("cd" * 32 + ".phi", 100)
    remove(plan_removal("phi-4-mini", folder=cache))
    partial.unlink()
    gone = {name for name in before if name.endswith((MINI_FILE, sha256(b"weights")))}
    assert photograph(cache) == {name: what for name, what in before.items() if name not in gone}
    assert len(gone) == 2


def test_neighbours_are_not_touched(cache: Path) -> None:
    bert, data = Repo(cache, "google/bert"), Repo(cache, "squad/set", "datasets")
    bert.put(OLD, "model.safetensors", b"old")
    bert.put(NEW, "model.safetensors", b"new")
    bert.ref(NEW)
    bert.partial("ef" * 32 + ".0123abcd", age_s=9e6)
    data.put(OLD, "d.gguf", b"data")
    (cache / ".locks" / "models--google--bert").mkdir(parents=True)
    before = photograph(cache)
    repo = Repo(cache, MINI)
    repo.put(NEW, MINI_FILE, b"weights")
    remove(plan_removal("phi-4-mini", folder=cache))
    prune(plan_prune(cache))
    assert photograph(cache) == before


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("./m.gguf", UsageError, "path"),
        ("/models/m.gguf", UsageError, "path"),
        ("m.gguf", UsageError, "path"),
        ("folder/m.gguf", UsageError, "path"),
        ("~/m", UsageError, "path"),
        ("", UsageError, "path"),
        ("tiny-phi", UsageError, "part of phi"),
        ("phi-4-mini:q8_0", NotFoundError, "not on this machine"),
        ("phi-4", NotFoundError, "not on this machine"),
        ("a/none", NotFoundError, "not on this machine"),
        ("../../etc", UsageError, "path"),
        ("a/../b", NotFoundError, "not found"),
        ("phi-99", NotFoundError, "not found"),
        (f"{MINI}:Q8_0", NotFoundError, "not on this machine"),
    ],
)
def test_what_cannot_be_removed(cache: Path, name: str, error: type[Exception], says: str) -> None:
    Repo(cache, MINI).put(NEW, MINI_FILE, b"weights")
    before = photograph(cache)
    with pytest.raises(error) as caught:
        plan_removal(name, folder=cache)
    assert says in str(caught.value)
    if isinstance(caught.value, NotFoundError):
        assert "phi-4-mini:q4_k_m" in caught.value.hint
        assert caught.value.data == {"installed": ["phi-4-mini:q4_k_m"]}
    assert photograph(cache) == before


WITHOUT_PRIVILEGES = """
import ctypes, os, sys
from pathlib import Path
from phicli.errors import UsageError
from phicli.hub.disk.prune import plan_prune, prune
from phicli.hub.disk.removal import plan_removal, remove

if os.geteuid() == 0:  # the superuser may write everywhere: give up what makes it one
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, nothing) == 0
cache = Path(sys.argv[1])
for action in (lambda: remove(plan_removal("phi-4-mini", folder=cache)), lambda: prune(plan_prune(cache))):
    try:
        action()
    except UsageError as error:
        print(error.message)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="takes privileges away in Linux's way")
@pytest.mark.parametrize("folder", ["blobs", f"snapshots/{OLD}"])
def test_a_cache_that_may_not_be_written(cache: Path, folder: str) -> None:
    repo = Repo(cache, MINI)
    repo.put(OLD, MINI_FILE, b"weights")
    repo.put(NEW, MINI_FILE, b"newer")
    repo.ref(NEW)
    repo.partial("ab" * 32 + ".phi", age_s=2 * QUIET_S)
    before = photograph(cache)
    (repo.root / folder).chmod(0o555)
    arguments = [sys.executable, "-c", WITHOUT_PRIVILEGES, str(cache)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    name = folder.rpartition("/")[2]
    assert done.stdout.splitlines() == [f"the cache {cache} cannot be changed: no permission to write in {name}"] * 2
    assert photograph(cache) == before
