"""What a plot of runs shows: which lines or bars, with which points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from phicli.bench.statistics import Summary
from phicli.bench.types import Run
from phicli.ui.bench.varying import Fact, Shape, shape_of

Kind = Literal["depth", "threads", "model"]
_NOT_IN_NAMES: Final = {"context", "repeats"}


@dataclass(frozen=True, slots=True)
class Point:
    """Tokens a second, mean and standard deviation, at ``x`` tokens or threads; ``x`` is 0 for a bar."""

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

    A panel in which nothing was measured is left out; there may be none.
    """
    shape = shape_of(runs)
    titles = {fact.title for fact in shape.varying}
    kind: Kind = "depth" if "depth" in titles else "threads" if "threads" in titles else "model"
    facts = [fact for fact in shape.varying if fact.title != kind and fact.title not in _NOT_IN_NAMES]
    measures: tuple[tuple[str, Callable[[Run], Summary | None]], ...] = (
        ("Reading the prompt", lambda run: run.prompt_tps),
        ("Generating", lambda run: run.decode_tps),
    )
    panels = (Panel(title, _series(runs, shape, kind, facts, of)) for title, of in measures)
    return Plot(
        kind,
        tuple(panel for panel in panels if panel.series),
        tuple(" · ".join(line) for line in (shape.machine, shape.conditions) if line),
    )


def _series(
    runs: Sequence[Run], shape: Shape, kind: Kind, facts: Sequence[Fact], of: Callable[[Run], Summary | None]
) -> tuple[Series, ...]:
    found: dict[str, dict[int, Point]] = {}
    for run, label in zip(runs, shape.labels, strict=True):
        measured = of(run)
        if measured is not None:
            name = ", ".join([label, *(phrase for fact in facts if (phrase := fact.phrase(run)))])
            point = Point(_x(run, kind), measured.mean, measured.stdev)
            found.setdefault(name, {})[point.x] = point
    return tuple(Series(name, tuple(points[x] for x in sorted(points))) for name, points in found.items())


def _x(run: Run, kind: Kind) -> int:
    return {"depth": run.workload.depth_tokens, "threads": run.settings.threads, "model": 0}[kind]
