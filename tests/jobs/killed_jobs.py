"""Jobs whose process is killed at random moments, until so many were; a program of its own, since it forks.

``python -m tests.jobs.killed_jobs FOLDER KILLS SEED`` ends with 0 when no result was lost or asked for twice.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import sys
import time
from pathlib import Path

from phicli.jobs.journal import Journal
from phicli.jobs.running import Done, run

ITEMS = 200
ABOUT = {"input": "numbers"}


class Shared:
    """Counts that outlive a process: how often each item was asked, and whether its result was saved."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2 * ITEMS)

    def asks(self, number: int) -> None:
        self._memory[number] += 1

    def saved(self, number: int) -> None:
        self._memory[ITEMS + number] = 1

    def asked(self, number: int) -> int:
        return self._memory[number]

    def is_saved(self, number: int) -> bool:
        return bool(self._memory[ITEMS + number])


class Counting:
    """Answers with a text whose length differs from item to item."""

    name, slots = "scripted", 4

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def ask(self, item: int) -> str:
        self._shared.asks(item)
        return answer(item)

    def stop(self) -> None:
        """Every answer comes at once."""


def answer(item: int) -> str:
    return f"{item} é " * (1 + item % 97 * 20)


def work(path: Path, shared: Shared) -> None:
    """One sitting of the job."""
    with Journal(path, ABOUT, items=ITEMS) as journal:
        journal.begin({"slots": 4})

        def save(one: Done[int, str]) -> None:
            journal.add(one.number, {"text": one.result}, 0.1)
            shared.saved(one.number)

        run(((n, n) for n in range(ITEMS) if n not in journal), [Counting(shared)], save)


def sitting(path: Path, shared: Shared, killed_after_s: float) -> bool:
    """Whether a process that works on the job was killed before it had ended."""
    pid = os.fork()
    if pid == 0:
        work(path, shared)
        os._exit(0)
    time.sleep(killed_after_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, "the job failed"
    return os.WIFSIGNALED(status)


def check(path: Path, shared: Shared, before: dict[int, int]) -> dict[int, int]:
    """See that the journal has all that was saved, and that nothing it had ``before`` was asked again.

    Returns how often each item that it has now was asked.
    """
    with Journal(path, ABOUT, items=ITEMS) as journal:
        there = {number for number in range(ITEMS) if number in journal}
        lost = [number for number in range(ITEMS) if shared.is_saved(number) and number not in there]
        assert not lost, f"lost: {lost}"
        twice = [number for number, asked in before.items() if shared.asked(number) != asked]
        assert not twice, f"asked again: {twice}"
        assert all(one.result["text"] == answer(one.number) for one in journal.all())
        assert journal.damaged_lines <= 1
    return {number: shared.asked(number) for number in there}


def main(folder: Path, kills: int, seed: int) -> None:
    """Jobs, one after the other, until ``kills`` of their processes were killed."""
    chance, jobs, killed = random.Random(seed), 0, 0
    while killed < kills:
        path, shared, before = folder / f"{jobs}.journal", Shared(), dict[int, int]()
        while len(before) < ITEMS:
            killed += sitting(path, shared, chance.random() * 0.02)
            before = check(path, shared, before)
        jobs += 1
    sys.stdout.write(f"{killed} kills, {jobs} jobs\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
