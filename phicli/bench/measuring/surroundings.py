"""What could explain a number: the machine, what else it did meanwhile, how much the samples scattered."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from phicli.engine.settings import NO_SPECULATION
from phicli.hardware.available import Memory
from phicli.hardware.cgroup import ROOT
from phicli.hardware.types import Cpu, Gpu
from phicli.records.run import Run
from phicli.records.statistics import Summary

_MOST_SPREAD: Final = 0.10
_BUSY_SHARE: Final = 0.10
"""Of the processors that may be used, what others may take of them; the rest is noise of the system itself."""

_SPOILT_SHARES: Final = (0.05, 0.20)
_SPOILT_PROCESSORS: Final = 0.5
_LOAD_SHARE: Final = 0.25
_SHORTEST_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine that is measured on; ``load_average`` is that of the minute before, None when it is unknown."""

    cpu: Cpu
    memory: Memory | None
    gpus: tuple[Gpu, ...]
    system: str
    load_average: float | None

    def to_data(self) -> dict[str, Any]:
        """``hardware`` of a run."""
        return {
            "cpu": self.cpu.name,
            "physical_cores": self.cpu.physical_cores,
            "threads": self.cpu.logical_cores,
            "memory_total_bytes": self.memory.total_bytes if self.memory else None,
            "gpus": [gpu.name for gpu in self.gpus],
            "system": self.system,
        }

    def device(self, gpu_layers: int, layers: int) -> str | None:
        """``cpu``, or the name of the graphics processor that has all layers; None when the two share them."""
        gpu = next((gpu.name for gpu in self.gpus if gpu.usable), None)
        if gpu is None or gpu_layers == 0:
            return "cpu"
        return gpu if gpu_layers < 0 or gpu_layers > layers else None


def look_around() -> Surroundings:
    """This machine, without measuring anything."""
    from phicli.hardware.cards import may_have_gpu
    from phicli.hardware.commands import SYSTEM
    from phicli.hardware.cpu_facts import describe_cpu
    from phicli.hardware.memory import available_memory
    from phicli.hardware.system import system_name

    load = load_average()
    gpus: tuple[Gpu, ...] = ()
    if may_have_gpu(ROOT, sys.platform, SYSTEM):
        from phicli.hardware.engine_answer import ask_engine
        from phicli.hardware.gpu import find_gpus

        gpus = find_gpus(run=SYSTEM, engine_devices=lambda: ask_engine(SYSTEM)).gpus
    return Surroundings(describe_cpu()[0], available_memory(), gpus, system_name(), load)


def load_average() -> float | None:
    """Processes that ran or wanted to, the mean of a minute; None where the system does not count them (Windows)."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class CpuUse:
    """Seconds since some beginning: of the clock, of all processors being busy, and of our own processes' work."""

    at_s: float
    busy_s: float
    own_s: float


def cpu_use(pids: Iterable[int] = ()) -> CpuUse | None:
    """What the processors that may be used have done so far; own work is that of this process and of ``pids``.

    None if the system does not report it.
    """
    import psutil

    from phicli.hardware.cpu import usable_processors

    try:
        usable = usable_processors()
        times = [one for number, one in enumerate(psutil.cpu_times(percpu=True)) if not usable or number in usable]
        own = [psutil.Process(pid).cpu_times() for pid in (os.getpid(), *pids)]
    except (psutil.Error, OSError, NotImplementedError):
        return None
    busy = sum(sum(getattr(one, name, 0.0) for name in _BUSY) for one in times)
    return CpuUse(time.monotonic(), busy, sum(one.user + one.system for one in own))


_BUSY: Final = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
"""Fields of ``psutil.cpu_times`` that are work; guests are in ``user``, and stolen time is another machine's work."""


def others(before: CpuUse | None, after: CpuUse | None) -> float | None:
    """Processors that others kept busy between the two, on average; None when it is unknown."""
    if before is None or after is None or after.at_s - before.at_s < _SHORTEST_S:
        return None
    return max((after.busy_s - before.busy_s) - (after.own_s - before.own_s), 0.0) / (after.at_s - before.at_s)


def spoilt(around: Surroundings, used_by_others: float | None) -> str | None:
    """Words for a machine that others used so much that what was found on it says nothing; None when they did not.

    So it is where they kept half a processor busy: the engine's threads wait for the slowest of them. Of few
    processors a fifth is enough, and of many it takes a twentieth, which daemons use without meaning anything.
    """
    cores = max(around.cpu.logical_cores, 1)
    least, most = (share * cores for share in _SPOILT_SHARES)
    if used_by_others is None or used_by_others <= min(max(_SPOILT_PROCESSORS, least), most):
        return None
    return _busy_words(used_by_others, cores)


def busy_warning(around: Surroundings, used_by_others: float | None) -> str | None:
    """Words for a machine that did something else as well; None when it did not.

    What others used while it was measured decides. The load average, which is still high for a minute after anything
    that ended before, counts only where that cannot be told.
    """
    cores = max(around.cpu.logical_cores, 1)
    if used_by_others is not None:
        if used_by_others <= _BUSY_SHARE * cores:
            return None
        return _busy_words(used_by_others, cores)
    if around.load_average is not None and around.load_average > _LOAD_SHARE * cores:
        return f"the machine was busy: its load average was {around.load_average:.1f} when the measurement began"
    return None


def _busy_words(used_by_others: float, cores: int) -> str:
    return (
        f"the machine was busy: other programs used {used_by_others:.1f} of {cores} processors during the measurement"
    )


def spread_warnings(run: Run) -> tuple[str, ...]:
    """Words for each rate whose standard deviation is more than a tenth of its mean.

    With speculation the speed of generation depends on the text, and each repetition has another.
    """
    generation = run.decode_tps if run.settings.speculation == NO_SPECULATION else None
    rates: Mapping[str, Summary | None] = {"prompt": run.prompt_tps, "generation": generation}
    return tuple(
        f"{name} speed varied by {found.stdev / found.mean:.0%} (standard deviation): close other programs, "
        "or use a larger --repeat"
        for name, found in rates.items()
        if found is not None and found.mean > 0 and found.stdev > _MOST_SPREAD * found.mean
    )
