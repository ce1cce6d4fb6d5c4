"""The lock of a job: one process at a time, and no file afterwards."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from phicli.jobs.locking import LockFile


def test_one_at_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out.lock"
    first, second = LockFile(path), LockFile(path)
    assert first.take()
    assert not second.take()
    second.release()
    assert path.exists()
    first.release()
    assert not path.exists()
    assert second.take()
    second.release()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_killed_process_left_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "out.lock"
    path.touch()
    lock = LockFile(path)
    assert lock.take()
    lock.release()
    assert not path.exists()


def _take_turns(path: Path, times: int, inside: Any, most: Any) -> None:
    taken = 0
    while taken < times:
        lock = LockFile(path)
        if not lock.take():
            continue
        with inside.get_lock():
            inside.value += 1
            most.value = max(most.value, inside.value)
        os.sched_yield()
        with inside.get_lock():
            inside.value -= 1
        lock.release()
        taken += 1


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_processes_that_remove_the_file_in_turn_never_have_the_lock_together(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    inside, most = fork.Value("i", 0), fork.Value("i", 0)
    path = tmp_path / "out.lock"
    processes = [fork.Process(target=_take_turns, args=(path, 200, inside, most)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert most.value == 1
    assert not path.exists()
