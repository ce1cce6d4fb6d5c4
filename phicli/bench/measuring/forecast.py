"""How long the rest of a benchmark takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from phicli.bench.measuring.grid import Part, Turn
from phicli.bench.measuring.measure import Pace
from phicli.records.run import Workload


class Forecast:
    """Seconds that turns will take: as long as they took before, else what the warm-up suggests.

    Args:
        loads: the workloads that turns name by place.
    """

    def __init__(self, loads: Sequence[Workload]) -> None:
        self._loads = tuple(loads)
        self._took: dict[tuple[int, int, Part], list[float]] = {}
        self._paces: dict[int, Pace] = {}

    def warmed_up(self, engine: int, pace: Pace) -> None:
        """``engine`` was found to be that fast."""
        self._paces[engine] = pace

    def took(self, turn: Turn, seconds: float) -> None:
        """``turn`` took so long, without reading what generating goes on from."""
        self._took.setdefault((turn.engine, turn.workload, turn.part), []).append(seconds)

    def left(self, turns: Sequence[Turn]) -> float | None:
        """Seconds for ``turns``; None while nothing is known."""
        expected = [self._expected(turn) for turn in turns]
        known = [one for one in expected if one is not None]
        return sum(known) * len(expected) / len(known) if known else None

    def _expected(self, turn: Turn) -> float | None:
        before = self._took.get((turn.engine, turn.workload, turn.part))
        pace = self._paces.get(turn.engine) or next(iter(self._paces.values()), None)
        if pace is None:
            return statistics.fmean(before) if before else None
        load = self._loads[turn.workload]
        if turn.part == "prompt":
            return statistics.fmean(before) if before else load.prompt_tokens * pace.prompt_ms / 1000
        reading = load.depth_tokens * pace.prompt_ms / 1000 if turn.repetition == 0 else 0.0
        return reading + (statistics.fmean(before) if before else load.generated_tokens * pace.decode_ms / 1000)
