"""Jobs whose process is ended at random moments, until so many were; a separate program, since it forks.

``python -m tests.jobs.killed_jobs FOLDER TIMES SEED SIGNAL`` ends with 0 when no result was lost or asked for twice.
After Ctrl-C (SIGINT) that holds for questions that were under way, too.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

from phicli.jobs.journal import Journal
from phicli.jobs.running import Done, run

ITEMS = 200
ABOUT = {"input": "numbers"}
_MOST, _MOST_S = 40, 0.004
_LOOK_S = 0.0002


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

    @property
    def asked_in_all(self) -> int:
        return sum(self._memory[:ITEMS])


class Counting:
    """Answers with a text whose length differs from item to item."""

    name, slots = "scripted", 4

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def ask(self, item: int) -> str:
        self._shared.asks(item)
        return answer(item)

    def drain(self) -> None:
        """Nothing waits."""

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


def sitting(path: Path, shared: Shared, number: signal.Signals, after: int, and_s: float) -> bool:
    """Whether a process that works on the job was ended by a signal before it was done.

    The signal comes ``and_s`` seconds after the process has asked so many items: on a busy machine, too, it gets on.
    """
    until = shared.asked_in_all + after
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # it was ignored until now
            work(path, shared)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            code = 0
        except KeyboardInterrupt:
            code = 130
        finally:
            if code == 1:
                traceback.print_exc()
            os._exit(code)
    while shared.asked_in_all < until and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(_LOOK_S)
    time.sleep(and_s)
    os.kill(pid, number)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 130, -signal.SIGKILL), f"the job ended with {code}"
    return code != 0


def check(path: Path, shared: Shared, before: dict[int, int], *, asked: bool) -> dict[int, int]:
    """See that the journal has all that was saved, and that nothing it had ``before`` was asked again.

    With ``asked`` it has all that was asked, too.

    Returns how often each item that it has now was asked.
    """
    with Journal(path, ABOUT, items=ITEMS) as journal:
        there = {number for number in range(ITEMS) if number in journal}
        saved = [number for number in range(ITEMS) if shared.is_saved(number) or (asked and shared.asked(number))]
        lost = [number for number in saved if number not in there]
        assert not lost, f"lost: {lost}"
        twice = [number for number, asked in before.items() if shared.asked(number) != asked]
        assert not twice, f"asked again: {twice}"
        assert all(one.result["text"] == answer(one.number) for one in journal.all())
        assert journal.damaged_lines <= 1
    return {number: shared.asked(number) for number in there}


def main(folder: Path, times: int, seed: int, number: signal.Signals) -> None:
    """Jobs, one after the other, until ``times`` of their processes were ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chance, jobs, ended = random.Random(seed), 0, 0
    while ended < times:
        path, shared, before = folder / f"{jobs}.journal", Shared(), dict[int, int]()
        while len(before) < ITEMS:
            ended += sitting(path, shared, number, chance.randrange(_MOST), chance.random() * _MOST_S)
            before = check(path, shared, before, asked=number == signal.SIGINT)
        jobs += 1
    sys.stdout.write(f"{ended} processes, {jobs} jobs\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), signal.Signals[sys.argv[4]])
