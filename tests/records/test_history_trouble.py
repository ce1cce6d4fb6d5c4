"""The history on disks that are full or read-only, with several processes, and with one that is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pytest

from phicli.errors import DoesNotFitError, IntegrityError, PhiError, UsageError
from phicli.records.history import History
from phicli.storage import sqlite_file as module
from tests.support.disks import small_file_system
from tests.support.runs import ENTRY, entry


def sleeping_with(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], None]) -> None:
    """Only in that module: other threads of the tests sleep as well."""
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))


@pytest.fixture
def read_only(tmp_path: Path, starts_process: None) -> Iterator[History]:
    """A history with one entry on a file system that cannot be written."""
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        made = History(disk / "data" / "runs.sqlite")
        made.add(ENTRY)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield made


def test_a_folder_that_is_read_only(read_only: History) -> None:
    assert read_only.entries() == (ENTRY,)
    assert read_only.get("last") == ENTRY
    with pytest.raises(OSError, match=r"history|[Rr]ead-only"):
        read_only.add(entry(1))
    warning = read_only.try_add(entry(1))
    assert warning is not None
    assert "not saved" in warning
    with pytest.raises(OSError, match=r"[Rr]ead-only"):
        History(read_only.path.parent / "new" / "runs.sqlite").add(ENTRY)
    assert History(read_only.path.parent / "new" / "runs.sqlite").entries() == ()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="for the superuser nothing is forbidden")
def test_a_file_that_is_read_only(kept: History) -> None:
    kept.add(ENTRY)
    kept.path.chmod(stat.S_IRUSR)
    assert kept.entries() == (ENTRY,)
    with pytest.raises(OSError, match="history"):
        kept.add(entry(1))


@pytest.mark.process
def test_a_full_disk(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=256k") as disk:
        kept = History(disk / "runs.sqlite")
        kept.add(ENTRY)
        large = entry(1, data={"text": "x" * 400_000})
        with pytest.raises(DoesNotFitError) as full:
            kept.add(large)
        assert str(kept.path) in full.value.message
        warning = kept.try_add(large)
        assert warning is not None
        assert "full" in warning
        assert kept.entries() == (ENTRY,)
        kept.add(entry(2))
        assert len(kept.entries()) == 2


@pytest.mark.process
def test_a_disk_that_was_full_from_the_beginning(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=16k") as disk:
        (disk / "filler").write_bytes(b"x" * 12_288)
        kept = History(disk / "runs.sqlite")
        with pytest.raises(DoesNotFitError):
            kept.add(entry(0, data={"text": "x" * 9000}))
        assert kept.entries() == ()


ADDING = """
import sys
from pathlib import Path
from phicli.records.history import Entry, History
from phicli.records.run_ids import new_run_id, now
history, name = History(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    history.add(Entry(new_run_id(), now(), "run", name, None, "e", "b", "c", {"number": number, "text": "x" * 20000}))
    print(number, flush=True)
"""


def adding(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    """A process that adds ``count`` entries as soon as it gets a line, and says so after each."""
    command = [sys.executable, "-c", ADDING, str(path), name, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"ready"
    return process


def go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


@pytest.mark.process
def test_two_processes_at_the_same_time(kept: History) -> None:
    processes = [adding(kept.path, name, 25) for name in ("one", "two")]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    for name in ("one", "two"):
        assert sorted(found.data["number"] for found in kept.entries(model=name)) == list(range(25))


def test_many_threads_at_the_same_time(kept: History) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: History(kept.path).add(entry(number)), range(24)))
    assert len(kept.entries()) == 24


@pytest.mark.process
def test_a_process_that_is_killed_while_it_adds(kept: History) -> None:
    process = adding(kept.path, "killed", 1_000_000)
    go(process)
    assert process.stdout is not None
    for _ in range(5):
        said = int(process.stdout.readline())
    process.kill()
    rest = process.communicate(timeout=60)[0].split()
    said = int(rest[-1]) if rest and rest[-1].isdigit() else said
    numbers = sorted(found.data["number"] for found in kept.entries())
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > said, "what was said to be kept is"
    kept.add(ENTRY)
    assert kept.get(ENTRY.run_id) == ENTRY


KILLED = """
import os, signal, sqlite3, sys
raw = sqlite3.connect(sys.argv[1], isolation_level=None)
raw.execute("PRAGMA cache_size = 2")
raw.execute("BEGIN IMMEDIATE")
raw.execute("UPDATE runs SET data = 'gone'")
for number in range(50):
    raw.execute("INSERT INTO runs VALUES (?, '', 'run', 'm', NULL, '', '', '', ?)", (str(number), "x" * 5000))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_transaction_that_was_half_on_disk_is_undone(kept: History) -> None:
    kept.add(ENTRY)
    done = subprocess.run([sys.executable, "-c", KILLED, str(kept.path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert kept.path.with_name("runs.sqlite-journal").stat().st_size, "else this test proves nothing"
    assert kept.entries() == (ENTRY,)
    kept.add(entry(1))
    assert len(kept.entries()) == 2


@pytest.fixture
def taken(kept: History) -> Iterator[History]:
    """One with an entry that another connection has for itself."""
    kept.add(ENTRY)
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield kept
    other.close()


def test_one_that_another_process_does_not_let_go(taken: History) -> None:
    for use in (History.entries, lambda history: history.add(entry(1))):
        with pytest.raises(PhiError, match="another process has locked the history") as busy:
            use(History(taken.path, wait_s=0.01))
        assert str(taken.path) in busy.value.message
        assert "run the command again" in busy.value.hint


def test_one_that_is_let_go_in_time(kept: History) -> None:
    kept.add(ENTRY)
    other = sqlite3.connect(kept.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    Timer(0.3, other.close).start()
    assert kept.entries() == (ENTRY,)


def test_another_process_is_waited_for_only_once(taken: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark of many settings keeps many runs, and shows none of them before."""
    pauses: list[float] = []
    sleeping_with(monkeypatch, pauses.append)
    patient = History(taken.path, wait_s=0.2)
    assert patient.try_add(entry(1)) == patient.try_add(entry(2)) != None  # noqa: E711 (the sentence is the same)
    first = len(pauses)
    assert first > 0
    patient.try_add(entry(3))
    assert len(pauses) == first


def test_somebody_who_waits_can_interrupt_it(taken: History, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    sleeping_with(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        taken.entries()


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = History(tmp_path / "file" / "data" / "runs.sqlite")
    with pytest.raises(NotADirectoryError):
        kept.entries()
    warning = kept.try_add(ENTRY)
    assert warning is not None
    assert warning.startswith("the run was not saved: not a directory: ")


def test_where_there_is_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("PHI_HOME", raising=False)
    for folder in (no_home, lambda *_, **__: Path("~/.local/share/phicli")):
        monkeypatch.setattr("platformdirs.user_data_path", folder)
        with pytest.raises(UsageError, match="no home folder") as homeless:
            History().entries()
        assert "PHI_HOME" in homeless.value.hint
        warning = History().try_add(ENTRY)
        assert warning is not None
        assert "no home folder" in warning


def test_what_is_set_aside_takes_the_place_of_nothing(kept: History) -> None:
    kept.path.parent.mkdir()
    kept.path.write_bytes(b"garbage" * 1000)
    kept.path.with_name("runs.sqlite.damaged").touch()
    with pytest.raises(IntegrityError) as damaged:
        kept.entries()
    assert damaged.value.hint.endswith("runs.sqlite.damaged-2")


@pytest.mark.parametrize("column", ["model", "made_at", "data"])
def test_values_that_are_no_text(kept: History, column: str) -> None:
    kept.add(ENTRY)
    raw = sqlite3.connect(kept.path)
    raw.execute(f"UPDATE runs SET {column} = x'00ff'")  # noqa: S608
    raw.commit()
    raw.close()
    with pytest.raises(IntegrityError, match=ENTRY.run_id):
        kept.entries()
