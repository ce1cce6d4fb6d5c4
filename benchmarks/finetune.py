"""tiny-phi learns ten facts: ``python -m benchmarks.finetune [FOLDER] [--choose] [--seeds 0 1 2]``.

Each run is what a person does, with the same commands: training data, ``phi data check``, ``phi finetune``, and each
of the ten questions with ``phi chat --adapter``. Then ``phi eval`` asks, before and after, the facts in other words and
all that tiny-phi knew; some of that was rehearsed in the training. An answer counts only if it is exact.

With ``--choose`` the candidates below learn the facts for development, in order of their cost, until one of them has
learned all ten of both sets and kept 97 % of the old answers. Without it, that one learns the reported facts.
Needs the extras ``finetune`` and ``training``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.comparison import Beginning
from benchmarks.finetune_facts import DEVELOPMENT, REPORTED, SETS, Fact, write_all
from phicli.units import format_bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """What is not the default of ``phi finetune``; one in ``rehearse`` old conversations is in the training data."""

    learning_rate: str
    epochs: int
    batch_size: int
    rehearse: int

    @property
    def options(self) -> list[str]:
        """As they are typed."""
        return [
            "--learning-rate", self.learning_rate, "--epochs", str(self.epochs), "--batch-size", str(self.batch_size)
        ]  # fmt: skip

    def __str__(self) -> str:
        said = " ".join(self.options)
        return f"`{said}`, 1 in {self.rehearse} old conversations"


CANDIDATES: Final = (
    Settings("4e-3", 20, 4, 4),
    Settings("4e-3", 20, 8, 2),
    Settings("2e-3", 20, 4, 2),
    Settings("2e-3", 40, 8, 2),
)
CHOSEN: Final = CANDIDATES[3]
KEPT: Final = 0.97
"""Share of the old answers that a candidate must still give."""


Pair = tuple[tuple[int, int], tuple[int, int]]
"""Right answers and all of them, before and after."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run.

    Attributes:
        said: right answers of ``phi chat`` to the ten questions.
        groups: what ``phi eval`` found, for each file of questions.
        seconds: by the clock, up to the tenth answer of ``phi chat``.
        processor_seconds: of all processes meanwhile.
        trained: what ``phi finetune`` said.
        table: what ``phi eval`` printed about the old answers that were not rehearsed.
    """

    said: int
    groups: dict[str, Pair]
    seconds: float
    processor_seconds: float
    trained: dict[str, Any]
    table: str

    @property
    def kept(self) -> float:
        """Share of the old answers that are right after it."""
        old = [after for title, (_, after) in self.groups.items() if title.startswith("old")]
        return sum(right for right, _ in old) / sum(asked for _, asked in old)


class Person:
    """Types commands, in a home of their own.

    Args:
        folder: for everything.
        threads: of each command.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder, self._threads = folder, ["--threads", str(threads)]
        self._environment = {**os.environ, "PHI_HOME": str(folder / "phi"), "HF_HUB_OFFLINE": "1"}
        subprocess.run([sys.executable, "-m", "training.tiny_phi.hf_folder", str(folder / "tiny-phi")], check=True,
                       stderr=subprocess.DEVNULL)  # fmt: skip

    def run(self, facts: Sequence[Fact], settings: Settings, name: str, seed: int) -> Run:
        """Teach, then ask."""
        write_all(self.folder, facts, settings.rehearse)
        train = str(self.folder / "train.jsonl")
        began, before = time.monotonic(), _children_s()
        self._phi("data", "check", train)
        trained = self._finetune(train, settings, name, seed)
        said = [self._phi("chat", "tiny-phi", "--adapter", name, *self._threads, one.question).strip() for one in facts]
        seconds, processor = time.monotonic() - began, _children_s() - before
        right = sum(answer == one.answer for answer, one in zip(said, facts, strict=True))
        groups = {title: self._evaluated(set_name, name) for set_name, title in SETS.items()}
        table = self._phi(*self._eval("held-out", name), "--markdown")
        return Run(right, groups, seconds, processor, trained, table)

    def _finetune(self, train: str, settings: Settings, name: str, seed: int) -> dict[str, Any]:
        out = self._phi(
            "finetune", str(self.folder / "tiny-phi"), train, "--out", str(self.folder / name), "--as", name,
            "--seed", str(seed), *settings.options, *self._threads, "--json",
        )  # fmt: skip
        found: dict[str, Any] = json.loads(out)["data"]
        return found

    def _evaluated(self, set_name: str, name: str) -> Pair:
        found = json.loads(self._phi(*self._eval(set_name, name), "--json"))["data"]["evaluations"]
        before, after = ((one["right"], one["asked"]) for one in found)
        return before, after

    def _eval(self, set_name: str, name: str) -> list[str]:
        path = str(self.folder / f"{set_name}.jsonl")
        return ["eval", "tiny-phi", f"tiny-phi+{name}", "--set", path, *self._threads]

    def _phi(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "phicli", *arguments], env=self._environment, stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, check=True,
        )  # fmt: skip
        return done.stdout


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(title: str, run: Run) -> str:
    """A row of the table of all runs."""
    _, *others = (f"{right} of {asked}" for _, (right, asked) in run.groups.values())
    cells = [f"{run.said} of 10", *others, f"{100 * run.kept:.1f} %"]
    times = [f"{run.trained['step']:,}", f"{run.seconds:.0f} s", f"{run.processor_seconds:.0f} s"]
    return f"| {' | '.join([title, *cells, *times])} |"


def chosen(person: Person, numbers: Sequence[int]) -> Iterator[tuple[str, Run]]:
    """Runs of the candidates with both sets of facts for development, until one suffices."""
    for number in numbers:
        settings, suffices = CANDIDATES[number], True
        for at, facts in reversed(list(enumerate(DEVELOPMENT, 1))):
            run = person.run(facts, settings, f"candidate-{number}-{at}", 0)
            yield f"set {at}: {settings}", run
            suffices = run.said == len(facts) and run.kept >= KEPT
            if not suffices:
                break
        if suffices:
            return


def reported(person: Person, seeds: Sequence[int]) -> Iterator[tuple[str, Run]]:
    """Runs of the reported facts with the settings that were chosen."""
    for seed in seeds:
        yield f"seed {seed}", person.run(REPORTED, CHOSEN, f"seed-{seed}", seed)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--choose", nargs="*", type=int, metavar="CANDIDATE", help="only these, counted from 0")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    typed = parser.parse_args()
    beginning = Beginning.now()
    folder = (typed.folder or Path(tempfile.mkdtemp(prefix="phi-finetune-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    person = Person(folder, typed.threads)
    facts = ["Time: from the check of the data to the tenth answer, by the clock and of all processes together"]
    if typed.choose is None:
        found, facts = reported(person, typed.seeds), [f"{CHOSEN}; --threads {typed.threads}", *facts]
    else:
        found = chosen(person, typed.choose or range(len(CANDIDATES)))
    print("| exact answers after | facts | in other words | old, rehearsed | old, not rehearsed | old in all | steps "
          f"| time | processor time |\n|---|{'---:|' * 8}")  # fmt: skip
    runs = []
    for title, run in found:
        print(row(title, run), flush=True)
        runs.append(run)
    before = [f"{title} {right} of {asked}" for title, ((right, asked), _) in runs[0].groups.items()]
    peaks = ", ".join(format_bytes(one.trained["peak_bytes"]) for one in runs)
    facts.append(f"Memory: {peaks}; planned: {format_bytes(runs[0].trained['needed_memory_bytes'])}")
    print(f"\nBefore: {'; '.join(before)}\n\n{runs[0].table}")
    print("\n".join(beginning.conditions(facts)))


if __name__ == "__main__":
    main()
