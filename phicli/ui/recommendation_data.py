"""``phi recommend --json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from phicli.fit.memory_sum import MemorySum
from phicli.fit.types import Assessment, Rejection
from phicli.plan.recommendation import Machine, Report, sums_of


def report_data(report: Report, *, everything: bool = False, explain: bool = False) -> dict[str, Any]:
    """The data of the envelope; ``others`` and ``sums`` are there when they were asked for."""
    picks = []
    for pick in report.found.picks:
        data = {"role": pick.role, **_weighed(pick.assessment, report)}
        data |= {"reasons": list(pick.reasons), "command": pick.command}
        if explain:
            data["sums"] = {one.label: one.text for one in sums_of(pick.assessment, report)}
        picks.append(data)
    shown: dict[str, Any] = {
        "hardware": machine_data(report.machine),
        "usable_bytes": report.usable_bytes,
        "request": {**asdict(report.request), "floor_tps": report.ranking.target_tps},
        "notes": list(report.notes),
        "picks": picks,
        "rejected": [rejection_data(one) for one in report.found.rejected],
    }
    if everything:
        shown["others"] = [_weighed(one, report) for one in report.found.others]
    return shown


def _weighed(one: Assessment, report: Report) -> dict[str, Any]:
    """A candidate with its worth, part by part."""
    worth = report.ranking.worth(one)
    parts = {"quality": worth.quality, **worth.costs, "here": worth.here, "points": worth.points}
    return assessment_data(one) | {"worth": {name: round(points, 2) for name, points in parts.items()}}


def memory_data(memory: MemorySum) -> dict[str, int]:
    """The parts of the memory, and their sums."""
    return asdict(memory) | {
        "gpu_bytes": memory.gpu_bytes,
        "resident_bytes": memory.resident_bytes,
        "must_have_bytes": memory.must_have_bytes,
        "reclaimable_bytes": memory.reclaimable_bytes,
        "total_bytes": memory.total_bytes,
    }


def assessment_data(one: Assessment) -> dict[str, Any]:
    """One candidate with its memory, speed and quality.

    ``resident_bytes`` are in main memory, of them ``must_have_bytes`` anonymous and ``reclaimable_bytes`` mapped files.
    ``quality_published`` is false where the quality is a place between published scores.
    """
    return {
        "model": one.candidate.variant.id,
        "quant": one.candidate.quant,
        "installed": one.candidate.installed,
        "context_tokens": one.context_tokens,
        "kv_type": one.kv_type,
        "gpu_layers": one.gpu_layers,
        "memory": memory_data(one.memory),
        "memory_share": round(one.memory_share, 4),
        "speed": asdict(one.speed),
        "quality": round(one.quality, 2),
        "quality_published": one.published,
    }


def rejection_data(one: Rejection) -> dict[str, Any]:
    """One that is out."""
    return {
        "model": one.variant_id,
        "quant": one.quant,
        "gate": one.gate,
        "reason": one.reason,
        "missing_bytes": one.missing_bytes,
        "remedy": one.remedy,
    }


def machine_data(machine: Machine) -> dict[str, Any]:
    """What was found out about the machine."""
    return {
        "memory": None if machine.memory is None else asdict(machine.memory),
        "cpu": {**asdict(machine.cpu), "instruction_sets": list(machine.cpu.instruction_sets)},
        "gpus": [asdict(gpu) for gpu in machine.gpus],
        "disk": None if machine.disk is None else asdict(machine.disk),
        "bandwidth": None if machine.bandwidth is None else asdict(machine.bandwidth),
        "native_kernels": asdict(machine.kernels),
        "system": machine.system,
        "wsl": machine.wsl,
        "container": machine.container,
        "simulated": machine.simulated,
        "sources": dict(machine.sources),
    }
