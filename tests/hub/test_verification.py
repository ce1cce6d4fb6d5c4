"""Files are hashed again: what is damaged is told with both hashes, and downloaded again on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from phicli.errors import IntegrityError, NetworkError
from phicli.hub import verified
from phicli.hub.disk.inventory import CachedModel, inventory
from phicli.hub.disk.selection import Picked, pick
from phicli.hub.disk.verification import FileVerdict, require_sound, verify
from phicli.hub.in_place.registry import RegisteredModel
from phicli.hub.types import silent
from tests.support.cache_layout import NEW, OLD, Repo, photograph
from tests.support.files import sha256

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
MINI_Q8 = "Phi-4-mini-instruct-Q8_0.gguf"


def check(cache: Path, fetch: Callable[[CachedModel], Callable[[], None]] | None = None) -> tuple[FileVerdict, ...]:
    return verify(pick(inventory(cache), None), cache, on_progress=silent, fetch_again=fetch)


def damage(path: Path, content: bytes) -> None:
    """Other content of the same size and time: what a bad disk does."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_good_file_is_recorded_as_such(cache: Path) -> None:
    path = Repo(cache, MINI).put(NEW, MINI_Q8, b"weights")
    os.utime(path.resolve(), (5, 1_000_000))
    seen: list[tuple[str, int, int]] = []
    picked = pick(inventory(cache), "phi-4-mini")
    (one,) = verify(picked, cache, on_progress=lambda *told: seen.append(told))
    assert (one.status, one.actual_sha256, one.expected_sha256) == ("ok", sha256(b"weights"), sha256(b"weights"))
    assert seen[-1] == ("hashing phi-4-mini:q8_0", 7, 7)
    assert verified.recorded(path) is not None
    assert path.stat().st_atime == 5  # looking at a file is not using it
    require_sound((one,), {})


def test_a_bad_file_and_all_others(cache: Path) -> None:
    repo = Repo(cache, MINI)
    bad = repo.put(NEW, MINI_Q8, b"weights")
    repo.put(NEW, "Phi-4-mini-instruct-Q6_K.gguf", b"other")
    verified.record(bad, sha256(b"weights"))
    damage(bad.resolve(), b"wEights")
    before = photograph(cache)
    verdicts = check(cache)
    assert {(one.name, one.status) for one in verdicts} == {("phi-4-mini:q8_0", "bad"), ("phi-4-mini:q6_k", "ok")}
    assert verified.recorded(bad) is None
    with pytest.raises(IntegrityError) as caught:
        require_sound(verdicts, {"files": []})
    assert sha256(b"weights") in caught.value.message
    assert sha256(b"wEights") in caught.value.message
    assert caught.value.hint == "download it again: phi cache verify phi-4-mini:q8_0 --fix"
    assert photograph(cache) == before


def test_without_a_promise_the_first_hash_is_the_promise(cache: Path) -> None:
    path = Repo(cache, "a/One-GGUF").put(NEW, "m.gguf", b"weights", etag="1234")
    (one,) = check(cache)
    assert (one.status, one.actual_sha256) == ("unknown", sha256(b"weights"))
    assert [one.status for one in check(cache)] == ["ok"]
    damage(path.resolve(), b"wEights")
    (one,) = check(cache)
    assert (one.status, one.expected_sha256) == ("bad", sha256(b"weights"))


def test_a_missing_part_and_a_broken_link(cache: Path) -> None:
    repo = Repo(cache, MINI)
    repo.put(NEW, "m-F16-00001-of-00002.gguf", b"one")
    repo.put(NEW, MINI_Q8, b"x").resolve().unlink()
    verdicts = {one.path.name: (one.status, one.reason) for one in check(cache)}
    assert verdicts == {
        "m-F16-00001-of-00002.gguf": ("ok", None),
        "m-F16-00002-of-00002.gguf": ("missing", "m-F16-00002-of-00002.gguf is missing"),
        MINI_Q8: ("missing", f"{MINI_Q8} is a broken link"),
    }


@pytest.mark.parametrize(
    ("content", "promised", "status"),
    [
        (b"mine", sha256(b"mine"), "ok"),
        (b"mine", None, "unknown"),
        (b"mine", sha256(b"yours"), "bad"),
        (None, None, "missing"),
    ],
)
def test_files_used_in_place(tmp_path: Path, content: bytes | None, promised: str | None, status: str) -> None:
    path = tmp_path / "mine.gguf"
    if content is not None:
        path.write_bytes(content)
    model = RegisteredModel("mine", path, None, None, 4, 0, promised, "import")

    def never(_: CachedModel) -> Callable[[], None]:
        raise AssertionError("a file in place is nobody's to download")

    (one,) = verify(Picked((), (model,)), tmp_path, on_progress=silent, fetch_again=never)
    assert (one.status, one.fixable) == (status, False)
    assert path.exists() == (content is not None)
    if status in ("bad", "missing"):
        with pytest.raises(IntegrityError, match="mine is damaged"):
            require_sound((one,), {})


def test_fix_downloads_what_is_damaged_and_links_it_everywhere(cache: Path) -> None:
    repo = Repo(cache, MINI)
    new = repo.put(NEW, "m-F16-00001-of-00002.gguf", b"one!")
    part = repo.put(NEW, "m-F16-00002-of-00002.gguf", b"two!")
    old = repo.link(OLD, "m-F16-00001-of-00002.gguf", new.resolve())
    repo.link(OLD, "m-F16-00002-of-00002.gguf", part.resolve())
    good = repo.put(NEW, MINI_Q8, b"good")
    repo.ref(NEW)
    damage(new.resolve(), b"oNe!")
    calls: list[str] = []

    def fetch(model: CachedModel) -> Callable[[], None]:
        calls.append(f"asked for {model.repo} {model.filename} {model.revisions[0]}")
        assert new.exists()

        def download() -> None:
            calls.append("downloaded")
            assert not os.path.lexists(new)
            assert part.exists()
            repo.put(NEW, model.filename, b"one!")

        return download

    verdicts = check(cache, fetch)
    assert calls == [f"asked for {MINI} m-F16-00001-of-00002.gguf {NEW}", "downloaded"]
    assert sorted((one.path.name, one.status) for one in verdicts) == [
        (MINI_Q8, "ok"),
        ("m-F16-00001-of-00002.gguf", "fixed"),
        ("m-F16-00002-of-00002.gguf", "ok"),
    ]
    assert (new.read_bytes(), old.read_bytes(), good.read_bytes()) == (b"one!", b"one!", b"good")
    require_sound(verdicts, {})


def test_fix_deletes_nothing_when_the_hub_cannot_be_asked(cache: Path) -> None:
    repo = Repo(cache, MINI)
    path = repo.put(NEW, MINI_Q8, b"weights")
    repo.put(NEW, "Phi-4-mini-instruct-Q6_K.gguf", b"other")
    damage(path.resolve(), b"wEights")
    before = photograph(cache)

    def offline(model: CachedModel) -> Callable[[], None]:
        raise NetworkError("no network")

    verdicts = check(cache, offline)
    assert sorted((one.status, one.not_fixed) for one in verdicts if one.status != "ok") == [("bad", "no network")]
    assert len(verdicts) == 2
    with pytest.raises(IntegrityError, match="could not be downloaded again: no network") as caught:
        require_sound(verdicts, {})
    assert caught.value.hint == "fix that first, then download it again: phi cache verify phi-4-mini:q8_0 --fix"
    assert photograph(cache) == before


def test_fix_that_breaks_off_says_that_the_file_is_gone(cache: Path) -> None:
    path = Repo(cache, MINI).put(NEW, MINI_Q8, b"weights")
    damage(path.resolve(), b"wEights")

    def broken() -> None:
        raise NetworkError("the line went dead")

    (one,) = check(cache, lambda model: broken)
    assert (one.status, one.reason, one.not_fixed) == ("missing", f"{MINI_Q8} was removed", "the line went dead")


def test_fix_that_brings_the_same_damage_is_still_bad(cache: Path) -> None:
    repo = Repo(cache, MINI)
    path = repo.put(NEW, MINI_Q8, b"weights")
    damage(path.resolve(), b"wEights")
    verdicts = check(cache, lambda model: lambda: damage(repo.put(NEW, MINI_Q8, b"weights").resolve(), b"WEIGHTS"))
    assert [(one.status, one.actual_sha256) for one in verdicts] == [("bad", sha256(b"WEIGHTS"))]


def test_a_damaged_blob_that_repositories_share_is_replaced_for_the_one_that_was_meant(cache: Path) -> None:
    repo, other = Repo(cache, MINI), Repo(cache, "b/Two-GGUF")
    path = repo.link(NEW, MINI_Q8, repo.shared_blob(b"shared", "ab" * 32))
    theirs = other.link(NEW, MINI_Q8, other.shared_blob(b"shared", "ab" * 32))
    store = cache / "blobs" / "ab" / ("ab" * 32)
    store.chmod(0o644)
    damage(store, b"sHared")
    picked = pick(inventory(cache), "phi-4-mini")

    def fetch(model: CachedModel) -> Callable[[], None]:
        return lambda: (repo.put(NEW, MINI_Q8, b"shared"), None)[1]

    (one,) = verify(picked, cache, on_progress=silent, fetch_again=fetch)
    assert one.status == "fixed"
    assert (path.read_bytes(), theirs.read_bytes()) == (b"shared", b"sHared")


def test_what_is_written_to_while_it_is_read_is_not_remembered(cache: Path) -> None:
    path = Repo(cache, "a/One-GGUF").put(NEW, "m-Q8_0.gguf", b"weights", "some-etag")
    os.utime(path, ns=(1, 1))

    def meddle(*told: object) -> None:
        path.write_bytes(b"WEIGHTS")

    (one,) = verify(pick(inventory(cache), None), cache, on_progress=meddle)
    assert one.actual_sha256 == sha256(b"weights")
    assert path.stat().st_mtime_ns > 1
    assert verified.recorded(path) is None


@pytest.mark.parametrize("through", ["snapshot", "blobs"])
def test_fix_of_a_link_to_another_disk_leaves_what_it_leads_to(cache: Path, tmp_path: Path, through: str) -> None:
    away = tmp_path / "other disk" / "weights.bin"
    away.parent.mkdir()
    away.write_bytes(b"wEights")
    repo = Repo(cache, MINI)
    target = away
    if through == "blobs":
        target = repo.root / "blobs" / sha256(b"weights")
        target.parent.mkdir(parents=True)
        target.symlink_to(away)
    path = repo.link(NEW, MINI_Q8, target)
    old = repo.link(OLD, MINI_Q8, target)
    repo.ref(NEW)
    verified.record(path, sha256(b"weights"))

    def fetch(model: CachedModel) -> Callable[[], None]:
        return lambda: (repo.put(NEW, MINI_Q8, b"weights"), None)[1]

    (one,) = check(cache, fetch)
    assert one.status == "fixed"
    assert (path.read_bytes(), old.read_bytes(), away.read_bytes()) == (b"weights", b"weights", b"wEights")
    assert not path.samefile(away)
