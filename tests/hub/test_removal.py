"""Removing and pruning: what was planned goes, and nothing else. huggingface_hub is real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir

from phicli.errors import NotFoundError, UsageError
from phicli.hub import verified
from phicli.hub.inventory import inventory
from phicli.hub.local import registered
from phicli.hub.prune import QUIET_S, plan_prune, prune
from phicli.hub.removal import plan_removal, remove
from tests.support.cache_layout import NEW, OLD, OTHER, Repo, photograph, problems_of_hub, register_by_hand, sha256

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
MINI_FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"
MINI_Q8 = "Phi-4-mini-instruct-Q8_0.gguf"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "phi"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub"


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


@pytest.mark.parametrize("level", ["repository", "snapshots", "snapshot", "blobs", "folder in a snapshot"])
def test_folders_that_are_links_are_not_entered(cache: Path, tmp_path: Path, level: str) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, f"sub/{MINI_FILE}", b"weights")
    repo.ref(NEW)
    path = {
        "repository": repo.root,
        "snapshots": repo.root / "snapshots",
        "snapshot": repo.root / "snapshots" / NEW,
        "blobs": repo.root / "blobs",
        "folder in a snapshot": repo.root / "snapshots" / NEW / "sub",
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
        ("a/../b", NotFoundError, "no model called"),
        ("phi-99", NotFoundError, "no model called"),
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
from phicli.hub.prune import plan_prune, prune
from phicli.hub.removal import plan_removal, remove

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
