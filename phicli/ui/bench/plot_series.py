"""What a plot of runs shows: which lines or bars, with which points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from phicli.records.run import Run
from phicli.records.statistics import Summary
from phicli.ui.bench.run_facts import Fact, shape_of

Kind = Literal["depth", "threads", "model"]
_NOT_IN_NAMES: Final = {"context", "repeats"}
_MEASURES: Final[tuple[tuple[str, Callable[[Run], Summary | None], frozenset[str]], ...]] = (
    ("Prompt processing", lambda run: run.prompt_tps, frozenset({"tokens"})),
    ("Generating", lambda run: run.decode_tps, frozenset({"prompt"})),
)
"""Title of a panel, what it shows, and what has nothing to do with that: the length of the other part."""


@dataclass(frozen=True, slots=True)
class Point:
    """Tokens per second, mean and standard deviation, at ``x`` tokens or threads; ``x`` is 0 for a bar."""

    x: int
    tps: float
    stdev: float


@dataclass(frozen=True, slots=True)
class Series:
    """A line with its points from left to right, or a bar with its one."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels side by side; ``common`` is what all runs have in common, in two lines or less."""

    kind: Kind
    panels: tuple[Panel, ...]
    common: tuple[str, ...]


def plot_of(runs: Sequence[Run]) -> Plot:
    """What to draw of ``runs``: by depth where that varies, else by threads, else a bar for each.

    A panel in which nothing was measured is left out, and one with nothing but single points beside one with lines;
    there may be none. The name of the only model is with what is common.
    """
    shape = shape_of(runs)
    titles = {fact.title for fact in shape.varying}
    kind: Kind = "depth" if "depth" in titles else "threads" if "threads" in titles else "model"
    facts = [fact for fact in shape.varying if fact.title != kind and fact.title not in _NOT_IN_NAMES]
    alone = len(set(shape.labels)) == 1  # then its name need not be with each line
    panels = []
    for title, of, elsewhere in _MEASURES:
        own = [fact for fact in facts if fact.title not in elsewhere]
        labels = [""] * len(runs) if alone and own else list(shape.labels)
        panels.append(Panel(title, _series(runs, labels, kind, own, of)))
    several = [panel for panel in panels if any(len(one.points) > 1 for one in panel.series)]
    about = (shape.labels[0], *shape.machine) if alone else shape.machine
    return Plot(
        kind,
        tuple(panel for panel in several or panels if panel.series),
        tuple(" · ".join(line) for line in (about, shape.conditions) if line),
    )


def _series(
    runs: Sequence[Run], labels: Sequence[str], kind: Kind, facts: Sequence[Fact], of: Callable[[Run], Summary | None]
) -> tuple[Series, ...]:
    found: dict[str, dict[int, Point]] = {}
    for run, label in zip(runs, labels, strict=True):
        measured = of(run)
        if measured is not None:
            phrases = [phrase for fact in facts if (phrase := fact.phrase(run))]
            name = ", ".join([label, *phrases] if label else phrases)
            point = Point(_x(run, kind), measured.mean, measured.stdev)
            found.setdefault(name, {})[point.x] = point
    return tuple(Series(name, tuple(points[x] for x in sorted(points))) for name, points in found.items())


def _x(run: Run, kind: Kind) -> int:
    return {"depth": run.workload.depth_tokens, "threads": run.settings.threads, "model": 0}[kind]
