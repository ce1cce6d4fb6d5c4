"""What comparisons have in common: taking turns, rows of a Markdown table, and the conditions it was made under."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import psutil

from benchmarks.baseline import ROOT
from phicli.bench.measuring.surroundings import Surroundings, look_around

T = TypeVar("T")
_WORK: Final = ("user", "nice", "system", "irq", "softirq", "steal")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should be, such as ``≤ 0.75 x``; empty where nothing was set."""

    target: str = ""
    moonshot: str = ""


NO_GOAL: Final = Goal()


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: what was measured in each round on either side, in ``unit``."""

    what: str
    ours: Sequence[float]
    theirs: Sequence[float]
    unit: str
    goal: Goal = NO_GOAL

    @property
    def ratio(self) -> float:
        """That of the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    def cells(self) -> list[str]:
        """What it is, both medians with the least and the greatest value in brackets, and the ratio."""
        sides = [f"{middle(side)} {self.unit} ({ends(side)})" for side in (self.ours, self.theirs)]
        return [self.what, *sides, f"**{self.ratio:.2f} x**"]

    def markdown(self, *more: str) -> str:
        """A row of the table, with ``more`` cells in front of the goal."""
        return f"| {' | '.join([*self.cells(), *more, self.goal.target, self.goal.moonshot])} |"


def head(ours: str, theirs: str, *more: str) -> str:
    """The head of a table of such rows, with ``more`` columns in front of the goal."""
    names = ("", ours, theirs, "ratio", *more, "target", "moonshot")
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}".replace("|  |", "| |")


def middle(values: Sequence[float]) -> str:
    """The median, in three digits."""
    return three_digits(statistics.median(values))


def ends(values: Sequence[float]) -> str:
    """The least and the greatest value."""
    return f"{three_digits(min(values))} to {three_digits(max(values))}"


def three_digits(value: float) -> str:
    """A positive number in three significant digits, without an exponent."""
    whole = len(str(int(value)))
    return f"{value:.{max(3 - whole, 0)}f}" if value >= 1 else f"{value:.3f}"


def in_turn(rounds: int, sides: Mapping[str, Callable[[], T]], *, warm: bool = True) -> dict[str, list[T]]:
    """What each side returns in each of ``rounds``; every second round goes through the sides backward.

    With ``warm`` each is called once before, and that is not counted.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(-1 if warm else 0, rounds):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            result = sides[name]()
            if number >= 0:
                found[name].append(result)
        print(f"{'warm-up' if number < 0 else f'round {number + 1} of {rounds}'} done", file=sys.stderr)
    return found


@dataclass(frozen=True, slots=True)
class Beginning:
    """The machine before anything was measured."""

    around: Surroundings
    at_s: float
    busy_s: float

    @classmethod
    def now(cls) -> Beginning:
        """This moment."""
        return cls(look_around(), time.monotonic(), _others_busy_s())

    def conditions(self, facts: Sequence[str]) -> Iterator[str]:
        """Lines of Markdown for below the tables: machine, versions, load, and the command.

        Args:
            facts: what else has to be known of the measurement.
        """
        cpu, memory = self.around.cpu, self.around.memory
        size = f", {memory.total_bytes / 1e9:.0f} GB" if memory else ""
        sets = f"{cpu.physical_cores} cores ({', '.join(cpu.instruction_sets)})"
        others = (_others_busy_s() - self.busy_s) / (time.monotonic() - self.at_s)
        loads = [f"{load:.1f}" if load is not None else "?" for load in (self.around.load_average, _load_average())]
        versions = f"Python {platform.python_version()}, xllamacpp {importlib.metadata.version('xllamacpp')}"
        yield f"- Machine: {cpu.name}, {sets}{size}, {self.around.system}"
        yield (
            f"- Load average {loads[0]} before and {loads[1]} after; other programs and guests of the host kept "
            f"{max(others, 0.0):.2f} cores busy during the measurement"
        )
        yield f"- {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {_commit()}, {versions}"
        yield from (f"- {fact}" for fact in facts)
        yield f"- Command: `{command(sys.argv)}`"


def command(arguments: Sequence[str]) -> str:
    """``sys.argv`` of a benchmark as it is typed in the checkout; of an absolute path only the name is left."""
    program, *others = arguments
    typed = [Path(one).name if Path(one).is_absolute() else one for one in others]
    return shlex.join(["python", "-m", f"benchmarks.{Path(program).stem}", *typed])


def _load_average() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _others_busy_s() -> float:
    """Seconds that all processors were busy with something else than this process and its children that have ended."""
    times, own = psutil.cpu_times(), os.times()
    busy = sum(getattr(times, name, 0.0) for name in _WORK)
    return float(busy - own.user - own.system - own.children_user - own.children_system)


def _commit() -> str:
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
