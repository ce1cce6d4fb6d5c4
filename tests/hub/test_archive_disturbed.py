"""Exports and imports beside other processes, on disks that cannot be written, and after a process was killed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phicli.errors import DoesNotFitError, IntegrityError, NotFoundError, UsageError
from phicli.hub.archive import importing as archive_import
from phicli.hub.archive.exporting import export_model
from phicli.hub.archive.format import is_archive
from phicli.hub.archive.importing import import_archive
from phicli.hub.archive.unfinished import abandoned, alone_in, partial_of
from phicli.hub.disk.prune import plan_prune, prune
from phicli.hub.in_place.registration import register
from phicli.hub.in_place.registry import find, registered
from phicli.hub.write_errors import UnwritableError, writing
from tests.hub.test_archive_hostile import pack, unpack
from tests.support.archived import MODEL, REPO, put
from tests.support.cache_layout import photograph
from tests.support.disks import small_file_system
from tests.support.interrupted import as_soon_as_made

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks, links and signals of POSIX")


@pytest.fixture
def own(packed: Path, tmp_path: Path) -> Path:
    """An archive of a model that comes from no repository."""
    data, members = unpack(packed)
    pack(tmp_path / "own.tar", data | {"repo": None, "revision": None, "name": "u"}, members)
    return tmp_path / "own.tar"


@pytest.fixture
def read_only(tmp_path: Path, starts_process: None) -> Iterator[Path]:
    """A file system that nobody can write to, not even root."""
    with small_file_system(tmp_path / "read-only", "ro,size=1m") as folder:
        yield folder


def killed(code: str, marker: Path) -> None:
    """Run ``code``, which touches ``marker`` and waits, and kill it then."""
    command = [sys.executable, "-c", code.replace("MARKER", repr(str(marker)))]
    with subprocess.Popen(command, env=os.environ.copy()) as process:
        deadline = time.monotonic() + 30
        while not marker.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)


# ---------------------------------------------------------------------------------------------------------- export


@pytest.mark.parametrize("name", ["m.part", ".m.part", "m.tar.part", ".m.123.part"])
def test_files_of_somebody_else_beside_the_target_stay(cached: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    export_model(cached, tmp_path / "m", name="m")
    assert (tmp_path / name).read_text() == "mine"


def test_a_partial_file_that_cannot_be_made_takes_nothing_along(
    monkeypatch: pytest.MonkeyPatch, cached: Path, tmp_path: Path
) -> None:
    """The name of the partial file is somebody's: it is not ours to remove."""
    monkeypatch.setattr("phicli.hub.archive.unfinished.secrets.token_hex", lambda count: "same")
    with partial_of(tmp_path / "m.tar") as first:
        with pytest.raises(UsageError):
            export_model(cached, tmp_path / "m.tar", name="m")
        assert first.path.exists()
    assert not (tmp_path / "m.tar").exists()


def test_two_exports_to_one_target(cached: Path, tmp_path: Path) -> None:
    def one(number: int) -> str:
        try:
            export_model(cached, tmp_path / "m.tar", name="m")
        except UsageError as error:
            return error.message
        return "done"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(one, range(4)))
    assert results.count("done") == 1
    assert {result for result in results if result != "done"} <= {f"{tmp_path / 'm.tar'} already exists"}
    assert import_archive(tmp_path / "m.tar", folder=tmp_path / "other").path.read_bytes() == MODEL
    assert not list(tmp_path.glob(".phi-export*"))


def test_a_target_that_appears_meanwhile_is_not_replaced(cached: Path, tmp_path: Path) -> None:
    def appear(what: str, done_bytes: int, total_bytes: int) -> None:
        (tmp_path / "m.tar").write_text("mine")

    with pytest.raises(UsageError, match="already exists"):
        export_model(cached, tmp_path / "m.tar", name="m", on_progress=appear)
    assert (tmp_path / "m.tar").read_text() == "mine"
    assert not list(tmp_path.glob(".phi-export*"))


def test_a_link_that_leads_nowhere_is_there(cached: Path, tmp_path: Path) -> None:
    (tmp_path / "m.tar").symlink_to(tmp_path / "none")
    with pytest.raises(UsageError, match="broken link"):
        export_model(cached, tmp_path / "m.tar", name="m")
    assert (tmp_path / "m.tar").is_symlink()
    export_model(cached, tmp_path / "m.tar", name="m", force=True)
    assert not (tmp_path / "m.tar").is_symlink()
    assert not (tmp_path / "none").exists()


def test_names_as_long_as_they_can_be(cached: Path, tmp_path: Path) -> None:
    export_model(cached, tmp_path / ("x" * 255), name="m")
    with pytest.raises(UsageError, match="too long"):
        export_model(cached, tmp_path / ("x" * 256), name="m")
    assert not is_archive(tmp_path / ("x" * 300))
    with pytest.raises(NotFoundError):
        import_archive(tmp_path / ("x" * 300 + ".tar"))


@pytest.mark.parametrize("name", ["a:b\\c\n.gguf", "x" * 240 + ".gguf", "ü\u202eq.gguf"])
def test_odd_names_of_local_files_are_made_plain(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(MODEL)
    export_model(path, tmp_path / "m.tar", name="m")
    assert import_archive(tmp_path / "m.tar").path.read_bytes() == MODEL


def test_odd_names_beside_a_cached_model(cached: Path, tmp_path: Path) -> None:
    for name in ("license:old", "Readme.md", os.fsdecode(b"LICENSE\xff")):
        (cached.parent / name).write_text("text")
    names = [file.name for file in export_model(cached, tmp_path / "m.tar", name="m").manifest.files]
    assert names == [cached.name, "LICENSE", "README.md"]
    assert import_archive(tmp_path / "m.tar", folder=tmp_path / "other").path.read_bytes() == MODEL
    with pytest.raises(UsageError, match="cannot contain"):
        export_model(put(tmp_path / "hf", "a:b.gguf", MODEL), tmp_path / "n.tar", name="n")


def test_an_export_that_is_interrupted_as_soon_as_its_file_is_there_leaves_none(tmp_path: Path) -> None:
    with as_soon_as_made(tmp_path, ".phi-export*"), partial_of(tmp_path / "m.tar"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_what_a_killed_export_left_goes_with_the_next(cached: Path, tmp_path: Path) -> None:
    killed(
        "import time; from pathlib import Path; from phicli.hub.archive.unfinished import partial_of\n"
        f"with partial_of(Path({str(tmp_path / 'm.tar')!r})): Path(MARKER).touch(); time.sleep(60)",
        tmp_path / "marker",
    )
    (left,) = tmp_path.glob(".phi-export*")
    with partial_of(tmp_path / "other.tar") as running:
        export_model(cached, tmp_path / "other.tar", name="m")
        assert running.path.exists()
        assert left.exists()
        export_model(cached, tmp_path / "m.tar", name="m")
    assert not list(tmp_path.glob(".phi-export*"))


# ---------------------------------------------------------------------------------------------------------- import


def test_two_imports_of_one_archive(own: Path, home: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda number: import_archive(own), range(3)))
    assert {result.name for result in results} == {"u"}
    assert sorted(result.already for result in results) == [False, True, True]
    assert {path.name for path in (home / "data" / "imported").iterdir()} == {"u", ".lock"}


@pytest.mark.process
def test_what_a_killed_import_left_goes_with_the_next(own: Path, home: Path, tmp_path: Path) -> None:
    imported = home / "data" / "imported"
    killed(
        "import time; from pathlib import Path; from phicli.hub.archive import importing\n"
        "def wait(*state): Path(MARKER).touch(); time.sleep(60)\n"
        f"importing.import_archive(Path({str(own)!r}), on_progress=wait)",
        tmp_path / "marker",
    )
    (left,) = imported.glob(".u.*")
    assert abandoned(imported) == (left,)
    assert import_archive(own).name == "u"
    assert {path.name for path in imported.iterdir()} == {"u", ".lock"}


def test_prune_removes_what_a_killed_import_left(home: Path, cache: Path) -> None:
    imported = home / "data" / "imported"
    (imported / ".u.abc").mkdir(parents=True)
    (imported / ".u.abc" / "x.incomplete").write_bytes(b"1234")
    (imported / "kept").mkdir()
    with alone_in(imported.parent):  # another lock
        plan = plan_prune(cache)
    assert (plan.leftovers, plan.freed_bytes, plan.is_empty) == ((imported / ".u.abc",), 4, False)
    prune(plan)
    assert {path.name for path in imported.iterdir()} == {"kept", ".lock"}
    assert plan_prune(cache).is_empty


def test_prune_leaves_a_running_import_alone(own: Path, home: Path, cache: Path) -> None:
    plans = []
    import_archive(own, on_progress=lambda *state: plans.append(plan_prune(cache)))
    assert plans
    assert all(plan.is_empty for plan in plans)


def test_a_name_that_cannot_be_kept_takes_the_files_along(
    monkeypatch: pytest.MonkeyPatch, own: Path, home: Path
) -> None:
    def fail(*given: object, **more: object) -> None:
        raise UnwritableError("no")

    monkeypatch.setattr(archive_import, "register", fail)
    with pytest.raises(UnwritableError):
        import_archive(own)
    assert not (home / "data").exists() or {path.name for path in (home / "data" / "imported").iterdir()} <= {".lock"}


def test_a_folder_without_a_name_is_not_in_the_way(own: Path, home: Path) -> None:
    (home / "data" / "imported" / "u").mkdir(parents=True)
    assert import_archive(own).name == "u-local"
    with pytest.raises(UsageError, match="already used for"):
        import_archive(own, name="u")


def test_a_failed_import_leaves_no_folders(packed: Path, tmp_path: Path, home: Path) -> None:
    content = packed.read_bytes()
    packed.write_bytes(content[:-1024])
    with pytest.raises(IntegrityError):
        import_archive(packed, folder=tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    there = tmp_path / "a" / f"models--{REPO.replace('/', '--')}" / "refs"
    there.mkdir(parents=True)
    before = photograph(tmp_path / "a")
    with pytest.raises(IntegrityError):
        import_archive(packed, folder=tmp_path / "a")
    assert photograph(tmp_path / "a") == before


# ------------------------------------------------------------------------------------------ what cannot be written


def test_a_home_that_is_a_file(own: Path, cached: Path, home: Path) -> None:
    shutil.rmtree(home)
    home.write_text("a file")
    for attempt in (lambda: import_archive(own), lambda: register(cached, name="q")):
        with pytest.raises(UsageError, match=str(home / "data")) as caught:
            attempt()
        assert "PHI_HOME" in caught.value.hint
    assert registered() == ()


def test_a_disk_that_is_read_only(
    monkeypatch: pytest.MonkeyPatch, own: Path, packed: Path, cached: Path, read_only: Path
) -> None:
    monkeypatch.setattr(archive_import, "check_space", lambda folder, needed: None)
    monkeypatch.setattr("phicli.hub.archive.exporting.check_space", lambda folder, needed: None)
    with pytest.raises(UsageError, match=f"{read_only} cannot be written: Read-only"):
        export_model(cached, read_only / "m.tar", name="m")
    with pytest.raises(UsageError, match=f"the cache {read_only} cannot be written: Read-only") as caught:
        import_archive(packed, folder=read_only)
    assert "HF_HUB_CACHE" in caught.value.hint
    monkeypatch.setenv("PHI_HOME", str(read_only))
    for attempt in (lambda: import_archive(own), lambda: register(cached, name="q")):
        with pytest.raises(UsageError, match=r"cannot be written: Read-only"):
            attempt()
    assert find("q") is None


def test_what_the_system_says_becomes_words(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFitError, match="is full"), writing("the cache", tmp_path, "hint"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(UsageError, match=r"the cache .* cannot be written: Permission denied") as caught:  # noqa: SIM117
        with writing("the cache", tmp_path, "hint"):
            raise PermissionError(errno.EACCES, "Permission denied", "internal.tmp")
    assert "internal" not in caught.value.message
    assert caught.value.hint == "hint"
    with pytest.raises(IntegrityError), writing("the cache", tmp_path, "hint"):
        raise IntegrityError("stays what it is")
