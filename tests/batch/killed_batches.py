"""Batches whose process is killed at random moments; a program of its own, since it forks.

``python -m tests.batch.killed_batches FOLDER KILLS SEED [NAME]`` ends with 0 when no line was lost, doubled, or asked
again after its result was saved. NAME is that of the output: ``out.csv`` for a table.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
from pathlib import Path

from phicli.answering.asked import Asked
from phicli.batch.job import run_batch
from phicli.errors import EngineError
from phicli.jobs.journal import Journal
from phicli.jobs.workers import Outcome
from tests.batch.scripted import ScriptedTarget, Told, answer, batch_of, question

LINES = 500
EVERY = 7
"""Each line with such a number fails the first time."""
_LOOK_S = 0.0005
_MOST_S = 0.02


class Counts:
    """How often each line was asked; outlives a process."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, LINES)

    def asks(self, number: int) -> None:
        self._memory[number] += 1

    def __getitem__(self, number: int) -> int:
        return self._memory[number]

    @property
    def in_all(self) -> int:
        return sum(self._memory[:])


def work(source: Path, out: Path, counts: Counts, *, retry: bool) -> None:
    """One run of the command."""

    def ask(asked: Asked) -> Outcome:
        number = int(question(asked))
        counts.asks(number)
        time.sleep(0.0005 * (number % 5))
        if not retry and number % EVERY == 0:
            return Outcome(None, EngineError(f"{number} failed"))
        return Outcome(answer(f"{number}, é " * (1 + number % 50)))

    run_batch(batch_of(source, out, retry_failed=retry), lambda: ScriptedTarget(ask), Told())


def sitting(source: Path, out: Path, counts: Counts, after: int, and_s: float, *, retry: bool) -> bool:
    """Whether a process was killed before it had done all.

    It is killed ``and_s`` seconds after it has asked so many lines: on a busy machine, too, it gets on.
    """
    until = counts.in_all + after
    pid = os.fork()
    if pid == 0:
        work(source, out, counts, retry=retry)
        os._exit(0)
    while counts.in_all < until and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(_LOOK_S)
    time.sleep(and_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, "the batch failed"
    return os.WIFSIGNALED(status)


def saved(out: Path) -> dict[int, bool]:
    """The lines that the journal has, and whether each has failed."""
    path = out.with_name(f"{out.name}.journal")
    if not path.exists() or path.read_bytes().count(b"\n") < 2:
        return {}
    about = json.loads(path.read_bytes().split(b"\n", 1)[0])["about"]
    with Journal(path, about) as journal:
        return {one.number: one.failed for one in journal.all()}


def main(folder: Path, kills: int, seed: int, name: str) -> None:
    """Batches, one after the other, until ``kills`` of their processes were killed."""
    chance, batches, killed = random.Random(seed), 0, 0
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps({"id": n, "prompt": str(n)}) + "\n" for n in range(LINES)), encoding="utf-8")
    while killed < kills:
        out, counts = folder / f"{batches}-{name}", Counts()
        for retry in (False, True):
            wanted = {n for n in range(LINES) if not retry or n % EVERY == 0}
            dies = True
            while dies:
                before = saved(out)
                done = [n for n in before if n not in wanted or not (retry and before[n])]
                asked = {n: counts[n] for n in done}
                most = max(len(wanted - {*done}) // 3, 2)
                dies = sitting(source, out, counts, chance.randrange(most), chance.random() * _MOST_S, retry=retry)
                killed += dies
                again = [n for n in done if counts[n] != asked[n]]
                assert not again, f"asked again: {again}"
        check(out, saved(out))
        batches += 1
    sys.stdout.write(f"{killed} kills, {batches} batches\n")


def check(out: Path, results: dict[int, bool]) -> None:
    """See that the output has every line once, in order."""
    assert len(results) == LINES
    assert not any(results.values())
    texts = [f"{n}, é " * (1 + n % 50) for n in range(LINES)]
    if out.suffix == ".csv":
        import csv

        with out.open(encoding="utf-8", newline="") as file:
            found = [(int(row["id"]), row["text"]) for row in csv.DictReader(file)]
    else:
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        found = [(line["id"], line["text"]) for line in lines]
    assert found == list(enumerate(texts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *(sys.argv[4:] or ["out.jsonl"]))
