"""What earlier versions kept in ``measurements/*.json`` is taken over into the history: all of it, once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.fit.calibration import Conditions, Measurement
from phicli.records.history import History, entry_of
from phicli.records.old_measurements import take_over
from phicli.records.speeds import load_speeds
from tests.support.disks import small_file_system
from tests.support.runs import run

CPU, BUILD = "Some CPU 9000", "xllamacpp 1"
HERE = Conditions(CPU, BUILD, 4, repack=True)
MEASUREMENT = Measurement(
    HERE, "phi-4-mini", "Q4_K_M", 2_489_000_000, 0, 11.5, 0.2, 512, 34.0, "2026-11-22T10:00:00+00:00"
)
OTHERS = tuple(replace(MEASUREMENT, depth_tokens=depth, decode_tps=10.0 - depth / 1000) for depth in (512, 1024, 2048))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "phi"


def put(*measurements: Measurement, folder: Path | None = None) -> Path:
    """Files as earlier versions wrote them; their folder."""
    folder = folder or History().path.with_name("measurements")
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(measurements):
        (folder / f"phi-4-mini-q4-k-m-{number}.json").write_text(json.dumps(one.to_data()))
    return folder


def speeds() -> set[Measurement]:
    return set(load_speeds(CPU, BUILD).measurements)


def test_all_are_taken_over_said_once_and_removed() -> None:
    folder = put(MEASUREMENT, *OTHERS)
    first = load_speeds(CPU, BUILD)
    assert set(first.measurements) == {MEASUREMENT, *OTHERS}
    assert first.notices == ("moved 4 speeds measured by an earlier version into the history; see: phi runs list",)
    assert not folder.exists()
    assert load_speeds(CPU, BUILD) == replace(first, notices=())


def test_what_becomes_of_one() -> None:
    put(MEASUREMENT)
    assert (
        take_over(History()).notice
        == "moved 1 speed measured by an earlier version into the history; see: phi runs list"
    )
    (entry,) = History().entries()
    assert (entry.kind, entry.model, entry.quant, entry.made_at) == (
        "speed", "phi-4-mini", "Q4_K_M", MEASUREMENT.made_at,
    )  # fmt: skip
    assert (entry.engine, entry.build, entry.cpu) == ("xllamacpp", BUILD, CPU)
    assert entry.data["decode_tps"] == {"mean": 11.5, "stdev": 0.2}
    assert "samples" not in entry.data
    assert "did not save samples" in entry.data["note"]
    assert len(entry.run_id) == 10
    assert History().get(entry.run_id[:9]) == entry


def test_those_of_other_machines_are_taken_over_too() -> None:
    other = replace(MEASUREMENT, conditions=replace(HERE, cpu="another"))
    put(MEASUREMENT, other)
    assert speeds() == {MEASUREMENT}
    assert load_speeds("another", BUILD).measurements == (other,)


def test_a_run_that_is_in_the_history_already_is_completed() -> None:
    """Earlier versions kept both of a benchmark: the run, and the speed without its samples."""
    benched = run(threads=4, repack=True)
    entry = entry_of(replace(benched, hardware={**benched.hardware, "cpu": CPU}))
    entry = replace(entry, build=BUILD, data={**entry.data, "hardware": {"gpus": ["a card"]}})
    History().add(entry)
    assert speeds() == set(), "nobody knows whether the card was used"
    put(replace(MEASUREMENT, made_at=entry.made_at), replace(OTHERS[0], made_at=entry.made_at))
    assert {(one.depth_tokens, one.weights_bytes, one.conditions.device) for one in speeds()} == {
        (0, MEASUREMENT.weights_bytes, "cpu"),
        (512, MEASUREMENT.weights_bytes, "cpu"),
    }
    kept = History().get(entry.run_id)
    assert kept.data == {"weights_bytes": MEASUREMENT.weights_bytes, "device": "cpu", **entry.data}
    assert sorted(one.kind for one in History().entries()) == ["run", "speed"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"a":' * 9000, b"9" * 70_000, b'{"variant_id": "phi-4-mini"}'],
    ids=lambda content: content[:12].decode(errors="replace"),
)
def test_damaged_files_stay_where_they_are(content: bytes) -> None:
    folder = put(MEASUREMENT)
    (folder / "damaged.json").write_bytes(content)
    (folder / "folder.json").mkdir()
    assert speeds() == {MEASUREMENT}
    assert sorted(path.name for path in folder.iterdir()) == ["damaged.json", "folder.json"]
    assert (folder / "damaged.json").read_bytes() == content
    assert load_speeds(CPU, BUILD).notices == ()


@pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")
def test_nobody_waits_for_a_pipe() -> None:
    os.mkfifo(put(MEASUREMENT) / "pipe.json")
    assert speeds() == {MEASUREMENT}


@pytest.mark.parametrize("made_at", ["", "yesterday", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:00"])
def test_odd_times_do_no_harm(made_at: str) -> None:
    put(replace(MEASUREMENT, made_at=made_at), MEASUREMENT)
    assert take_over(History()).notice
    assert {one.made_at for one in History().entries()} == {made_at, MEASUREMENT.made_at}
    assert speeds() == {MEASUREMENT if made_at < MEASUREMENT.made_at else replace(MEASUREMENT, made_at=made_at)}


def test_hundreds_of_the_same_second_are_all_there() -> None:
    many = [replace(MEASUREMENT, depth_tokens=depth) for depth in range(700)]
    put(*many)
    assert speeds() == set(many)
    put(*many)
    assert take_over(History()).notice == "", "a second time nothing is new"
    assert len(History().entries()) == 700


def test_what_is_removed_from_the_history_stays_removed() -> None:
    put(MEASUREMENT)
    take_over(History())
    assert History().remove([History().get("last").run_id]) == 1
    assert speeds() == set()


KILLED = """
import os, signal, sys
from phicli.records import old_measurements
from phicli.records.history import History
if sys.argv[1] == "before":
    History.update = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
else:
    removed = []
    def remove(file, real=old_measurements._remove):
        if len(removed) == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        removed.append(file)
        real(file)
    old_measurements._remove = remove
old_measurements.take_over(History())
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("when", ["before", "0", "2"])
def test_a_process_that_is_killed_loses_nothing_and_doubles_nothing(when: str) -> None:
    put(MEASUREMENT, *OTHERS)
    done = subprocess.run([sys.executable, "-c", KILLED, when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert speeds() == {MEASUREMENT, *OTHERS}
    assert len(History().entries()) == 4
    assert not History().path.with_name("measurements").exists()


TAKING = """
import sys
from phicli.records.history import History
from phicli.records.old_measurements import take_over
print("ready", flush=True)
sys.stdin.readline()
print(take_over(History()).notice)
"""


@pytest.mark.process
def test_two_processes_at_the_same_time() -> None:
    many = [replace(MEASUREMENT, depth_tokens=depth) for depth in range(200)]
    put(*many)
    processes = [
        subprocess.Popen([sys.executable, "-c", TAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len([line for line in said if line]) == 1, said
    assert len(History().entries()) == 200
    assert speeds() == set(many)


@pytest.mark.process
def test_a_full_disk_leaves_them_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_file_system(tmp_path / "disk", "size=64k") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk))
        folder = put(MEASUREMENT, *OTHERS)
        filler = disk / "filler"
        filler.write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize))
        for _ in range(2):
            found = load_speeds(CPU, BUILD)
            assert set(found.measurements) == {MEASUREMENT, *OTHERS}
            assert found.notices == ()
        assert len(list(folder.iterdir())) == 4
        filler.unlink()
        assert load_speeds(CPU, BUILD).notices
        assert speeds() == {MEASUREMENT, *OTHERS}
        assert not folder.exists()


@pytest.mark.process
def test_a_home_that_is_read_only_leaves_them_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk))
        folder = put(MEASUREMENT)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert load_speeds(CPU, BUILD).measurements == (MEASUREMENT,)
        assert load_speeds(CPU, BUILD).notices == ()
        assert len(list(folder.iterdir())) == 1


def test_a_history_that_is_damaged_leaves_them_in_use() -> None:
    folder = put(MEASUREMENT)
    History().path.write_bytes(b"garbage" * 1000)
    found = load_speeds(CPU, BUILD)
    assert found.measurements == (MEASUREMENT,)
    assert len(found.notices) == 1
    assert len(list(folder.iterdir())) == 1


def test_one_that_another_process_does_not_let_go_is_waited_for_once() -> None:
    put(MEASUREMENT)
    History().add(entry_of(run()))
    other = sqlite3.connect(History().path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    found = load_speeds(CPU, BUILD)
    other.close()
    assert found.measurements == (MEASUREMENT,)
    assert "another process" in found.notices[0]


def test_what_an_earlier_version_writes_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(MEASUREMENT)
    newer = replace(MEASUREMENT, made_at="2027-01-01T00:00:00+00:00", decode_tps=12.0)
    real = History.update

    def update(history: History, change: object) -> int:
        count = real(history, change)  # type: ignore[arg-type]
        put(newer)
        return count

    monkeypatch.setattr(History, "update", update)
    take_over(History())
    monkeypatch.setattr(History, "update", real)
    assert len(list(folder.iterdir())) == 1
    assert speeds() == {newer}
