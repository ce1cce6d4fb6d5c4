"""What a benchmark of local models measures: the loads, the workloads, and the runs that will come of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.measuring.surroundings import Surroundings
from phicli.records.run import Run, Workload


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What is measured: every workload on every load, ``repeat`` times.

    ``together`` when all loads stay in memory and take turns, repetition by repetition; else engines are restarted in
    turn, each for half of its repetitions.
    """

    loads: tuple[PlannedLoad, ...]
    workloads: tuple[Workload, ...]
    repeat: int
    together: bool = True
    llama_server: Path | None = None

    @property
    def schedule(self) -> str:
        """``alone``, ``interleaved`` or ``blocks``."""
        if len(self.loads) == 1:
            return "alone"
        return "interleaved" if self.together else "blocks"


def planned_runs(plan: BenchPlan, around: Surroundings) -> tuple[Run, ...]:
    """What :func:`~phicli.bench.measuring.collect.collect` gives, load by load: runs without samples, ids, builds."""
    return tuple(
        Run(
            run_id="",
            made_at="",
            subject=load.subject,
            settings=load.settings,
            workload=workload,
            context_tokens=load.context_tokens,
            samples=(),
            load_ms=0.0,
            cold_ttft_ms=None,
            peak=None,
            hardware=around.to_data(),
            load_average=around.load_average,
            complete=False,
            extra=MappingProxyType({"schedule": plan.schedule, "repeat": plan.repeat}),
        )
        for load in plan.loads
        for workload in plan.workloads
    )
