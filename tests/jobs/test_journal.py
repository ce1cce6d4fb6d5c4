"""Results that are saved as they come."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.jobs.journal import Journal, OtherJobError
from tests.support.disks import make_read_only, small_file_system

ABOUT = {"input": "abc", "model": "m"}


def filled(path: Path, count: int = 6) -> bytes:
    """The content of the journal of a job with so many results."""
    with Journal(path, ABOUT) as journal:
        journal.begin({"slots": 2})
        for number in range(count):
            journal.add(number, {"text": f"text {number} é\u2028"}, number / 8)
    return path.read_bytes()


def test_a_job_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as first:
        first.begin({"slots": 4})
        first.add(2, {"text": "two"}, 0.5)
        first.add(0, {"text": "zero"}, 0.7, failed=True)
    with Journal(path, ABOUT) as second:
        assert (len(second), second.sitting, second.settings) == (2, 2, {"slots": 4})
        assert (0 in second, 1 in second, 2 in second) == (True, False, True)
        assert second.failed == {0}
        second.add(1, {"text": "one"}, 0.1)
        assert [one.result["text"] for one in second.all()] == ["zero", "one", "two"]


def test_failed_results_can_be_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {}, 0.1, failed=True)
        journal.add(1, {}, 0.1)
    with Journal(path, ABOUT, retry_failed=True) as journal:
        assert (0 in journal, 1 in journal, len(journal)) == (False, True, 1)
        journal.add(0, {"text": "now"}, 0.2)
    with Journal(path, ABOUT) as journal:
        assert (journal.get(0).result, journal.failed, len(journal)) == ({"text": "now"}, frozenset(), 2)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_torn_line_is_left_out(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {"text": "zero"}, 0.1)
        journal.add(1, {"text": "one"}, 0.1)
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, ABOUT) as journal:
        assert (0 in journal, 1 in journal) == (True, False)
        journal.add(1, {"text": "again"}, 0.1)
    with Journal(path, ABOUT) as journal:
        assert [one.result["text"] for one in journal.all()] == ["zero", "again"]


def test_the_results_of_another_job_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {}, 0.1)
    with pytest.raises(OtherJobError) as caught, Journal(path, {**ABOUT, "model": "n"}):
        pass
    assert caught.value.differs == ("model",)
    assert "with another model" in caught.value.message
    assert "--restart" in caught.value.hint
    with Journal(path, {**ABOUT, "model": "n"}, restart=True) as journal:
        assert len(journal) == 0


def test_two_processes_cannot_work_on_one_job(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT), pytest.raises(UsageError, match="another phi process"), Journal(path, ABOUT):
        pass


@pytest.mark.process
def test_a_lock_that_was_left_behind_by_a_killed_process_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    work = f"""
import os, signal
from pathlib import Path
from phicli.jobs.journal import Journal
with Journal(Path({str(path)!r}), {ABOUT!r}) as journal:
    journal.add(0, {{"text": "zero"}}, 0.1)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""
    assert subprocess.run([sys.executable, "-c", work], check=False).returncode
    with Journal(path, ABOUT) as journal:
        assert 0 in journal


def damaged(content: bytes) -> Iterator[tuple[bytes, int]]:
    """What a file may look like after a crash, and how many lines of it are of no use."""
    lines = content.splitlines(keepends=True)
    yield content + b'{"n": 9, "sitt', 1
    yield content + bytes(4096), 1
    yield b"".join([*lines[:3], b"\xff\xfe\0garbage\n", *lines[3:]]), 1
    yield b"".join([*lines[:3], b"[1]\n", b"{}\n", b"\n", b"[" * 100_000 + b"\n", *lines[3:]]), 4
    yield b"".join([*lines[:3], lines[3].rstrip(), *lines[4:]]), 1
    yield b"".join([*lines[:3], bytes(len(lines[3])), *lines[4:]]), 1
    yield content.replace(b'"n": 2', b'"n": -2', 1), 1
    yield content.replace(b'"n": 2', b'"n": 99999999999999', 1), 1
    yield content.replace(b'"n": 2', b'"n": 2000000', 1), 1
    yield content.replace(b'"n": 2', b'"n": "2"', 1), 1
    yield content.replace(b'"failed": false', b'"failed": null', 1), 1
    yield content.replace(b'"result": {', b'"result": [{', 1), 1
    yield content.replace(b'"settings": {', b'"settings": [{', 1), 1
    yield content.replace(b'"elapsed_s": 0', b'"elapsed_s": "x', 1), 1


@pytest.mark.parametrize("case", range(14))
def test_damaged_lines_are_left_out_and_the_others_are_there(tmp_path: Path, case: int) -> None:
    path = tmp_path / "out.journal"
    content, bad = list(damaged(filled(path)))[case]
    path.write_bytes(content)
    with Journal(path, ABOUT, items=6) as journal:
        missing = [number for number in range(6) if number not in journal]
        assert journal.damaged_lines == bad
        assert len(missing) <= 2
        assert {one.number: one.result["text"] for one in journal.all()} == {
            number: f"text {number} é\u2028" for number in range(6) if number not in missing
        }
        for number in missing:
            journal.add(number, {"text": "again"}, 0.1)
    with Journal(path, ABOUT, items=6) as journal:
        assert len(journal) == 6


@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_were_changed_at_random_never_stop_a_job(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "out.journal", random.Random(seed)
    content = bytearray(filled(path, 40))
    head = content.index(b"\n") + 1
    for _ in range(chance.randint(1, 30)):
        content[chance.randrange(head, len(content))] = chance.randrange(256)
    path.write_bytes(content)
    with Journal(path, ABOUT, items=40) as journal:
        for number in range(40):
            if number not in journal:
                journal.add(number, {"text": "again"}, 0.1)
        assert [one.number for one in journal.all()] == list(range(40))
    with Journal(path, ABOUT, items=40) as journal:
        assert len(journal) == 40


def test_results_that_are_not_accepted_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    filled(path)
    with Journal(path, ABOUT, accepts=lambda result: "3" not in result["text"]) as journal:
        assert [one.number for one in journal.all()] == [0, 1, 2, 4, 5]
        assert journal.damaged_lines == 1


@pytest.mark.parametrize("content", [b"my notes\n", b"\0" * 99, b'{"journal": 1, "key": "x"}\n{"id": "q1"}\n', b"\n"])
def test_a_file_of_something_else_is_not_overwritten_unless_that_is_wanted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "out.journal"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"another version|does not have") as caught, Journal(path, ABOUT):
        pass
    assert "--restart" in caught.value.hint
    assert path.read_bytes() == content
    for how in ({"restart": True}, {"replaces": True}):
        path.write_bytes(content)
        with Journal(path, ABOUT, **how) as journal:
            journal.add(0, {"text": "zero"}, 0.1)
        with Journal(path, ABOUT) as journal:
            assert len(journal) == 1


@pytest.mark.parametrize("cut", [0, 1, 5, 12, 20, -1])
def test_a_journal_that_was_torn_in_its_first_line_begins_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT):
        pass
    path.write_bytes(path.read_bytes()[:cut])
    with Journal(path, ABOUT) as journal:
        assert len(journal) == 0
        journal.add(0, {}, 0.1)
    with Journal(path, ABOUT) as journal:
        assert len(journal) == 1


def test_texts_that_are_not_unicode_survive(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    text = "half \ud800 of a pair, \u2028, \x00, \r\n"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {"text": text}, 0.1)
    with Journal(path, ABOUT) as journal:
        assert journal.get(0).result == {"text": text}
        assert journal.damaged_lines == 0


@pytest.mark.process
def test_a_disk_that_is_full_is_reported_and_what_was_saved_before_is_there(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "size=64k") as small:
        path = small / "out.journal"
        with Journal(path, ABOUT) as journal:
            number = 0
            while not journal.problem and number < 100:
                journal.add(number, {"text": "x" * 3000}, 0.1)
                number += 1
            assert "no space left on device" in journal.problem
            assert journal.is_full
            assert str(path) in journal.problem
            journal.add(number, {"text": "later"}, 0.1, failed=True)
            assert [one.number for one in journal.all()] == list(range(number + 1))
            assert journal.failed == {number}
        with Journal(path, ABOUT) as again:
            assert [one.number for one in again.all()] == list(range(number - 1))
            assert again.damaged_lines <= 1


@pytest.mark.process
def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "size=64k") as small:
        path = small / "out.journal"
        filled(path)
        with (small / "filler").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    break
        with Journal(path, ABOUT) as journal:
            journal.begin({"slots": 1})
            assert [one.number for one in journal.all()] == list(range(6))
            for number in range(6, 20):
                journal.add(number, {"text": "x" * 3000}, 0.1)
            assert journal.problem
            assert len(journal) == 20


@pytest.mark.process
def test_a_disk_that_cannot_be_written_still_has_what_was_saved(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "size=1m") as small:
        path = small / "out.journal"
        filled(path)
        make_read_only(small)
        with Journal(path, ABOUT) as journal:
            assert "read-only file system" in journal.problem
            assert not journal.is_full
            assert len(journal) == 6
            journal.add(6, {"text": "new"}, 0.1)
            assert [one.number for one in journal.all()] == list(range(7))


def test_the_disk_is_told_to_keep_what_was_written_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, synced = [100.0], list[float]()
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(now[0]))
    with Journal(tmp_path / "out.journal", ABOUT, clock=lambda: now[0]) as journal:
        for number in range(1000):
            now[0] += 0.01
            journal.add(number, {}, 0.1)
    assert 9 <= len(synced) <= 12
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(synced[:-1]))


def bytes_of(journal: Journal) -> int:
    """What the journal keeps in memory."""
    return sum(sys.getsizeof(value) for value in vars(journal).values())


def test_memory_has_eight_bytes_for_each_result(tmp_path: Path) -> None:
    """100,000 results, half of them failed: as they are written, read again, and continued."""
    path, count = tmp_path / "out.journal", 100_000
    with Journal(path, ABOUT) as journal:
        before = bytes_of(journal)
        for number in range(count):
            journal.add(number, {"text": "x" * 50}, 0.1, failed=number % 2 == 0)
        assert bytes_of(journal) - before < 10 * count
        assert len(journal.failed) == count // 2
    with Journal(path, ABOUT, items=count + 1) as journal:
        assert bytes_of(journal) - before < 10 * count
        journal.add(count, {}, 0.1)
        assert sum(1 for _ in journal.all()) == len(journal) == count + 1


def test_nothing_of_a_result_stays_in_memory(tmp_path: Path) -> None:
    with Journal(tmp_path / "out.journal", ABOUT) as journal:
        journal.add(0, {"text": "x" * 2000}, 0.1)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1, 2000):
            journal.add(number, {"text": "x" * 2000}, 0.1)
        assert sum(len(one.result["text"]) for one in journal.all()) == 2000 * 2000
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert after - before < 2000 * 20 + 20_000
    assert peak - before < 2000 * 20 + 100_000


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="fork and signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_process_that_is_ended_at_any_moment_loses_nothing_and_asks_nothing_twice(tmp_path: Path, name: str) -> None:
    seed = str(random.randrange(1 << 30))
    command = [sys.executable, "-m", "tests.jobs.killed_jobs", str(tmp_path), "300", seed, name]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, (command, ended.stderr)
