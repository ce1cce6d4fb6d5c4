"""Benchmarks of local models: starts the engines, takes turns, makes runs of what was timed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phicli.bench.launch import BenchEngine, Launch, start
from phicli.bench.measuring.energy import EnergyMeter, open_meter
from phicli.bench.measuring.forecast import Forecast
from phicli.bench.measuring.grid import Part, Turn, in_blocks, interleaved
from phicli.bench.measuring.measure import Stopwatch
from phicli.bench.measuring.peak_memory import PeakMemory, higher
from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.measuring.surroundings import CpuUse, Surroundings, busy_warning, cpu_use, others, spread_warnings
from phicli.catalog.display_name import name_of
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.errors import PhiError, UserInterruptError
from phicli.records.run import Peak, Run, Sample, Subject, Workload
from phicli.records.run_ids import new_run_id, now


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


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done, in words; seconds until all is done, None while that is not known."""

    text: str
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """The runs that have samples; ``failure`` is why there are not all of them, None when there are."""

    runs: tuple[Run, ...]
    failure: PhiError | None = None


OnStep = Callable[[Progress], None]


def collect(
    plan: BenchPlan,
    around: Surroundings,
    *,
    on_step: OnStep | None = None,
    launch: Launch = start,
    open_energy: Callable[..., EnergyMeter] = open_meter,
) -> Collected:
    """Measure what ``plan`` says. Ctrl-C and failures end it early; what was timed until then is kept.

    Args:
        plan: what is measured.
        around: the machine.
        on_step: is told what is being done.
        launch: starts engines; tests give scripted ones.
        open_energy: as :func:`phicli.bench.measuring.energy.open_meter`.
    """
    collector = _Collector(plan, around, on_step or (lambda _: None), launch, open_energy)
    failure: PhiError | None = None
    try:
        collector.run()
    except KeyboardInterrupt:
        failure = UserInterruptError("interrupted", "the measurements made so far are shown")
    except PhiError as error:
        failure = error
    runs = collector.runs()
    if not runs and isinstance(failure, UserInterruptError):
        failure = UserInterruptError("interrupted before anything was measured")
    return Collected(runs, failure)


def planned_runs(plan: BenchPlan, around: Surroundings) -> tuple[Run, ...]:
    """What :func:`collect` is going to give, load by load: runs without samples, ids and engine builds."""
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


@dataclass(slots=True)
class _Loaded:
    """What was found out about one load: at its first start, and as its highest memory over all starts."""

    subject: Subject
    load_ms: float
    cold_ttft_ms: float
    energy: str | None
    peak: Peak | None = None


@dataclass(frozen=True, slots=True)
class _Warm:
    """A loaded engine between its turns."""

    watch: Stopwatch
    memory: PeakMemory


@dataclass(slots=True)
class _Taken:
    """Samples of one workload on one load, the parts apart."""

    prompts: list[Sample] = field(default_factory=list)
    decodes: list[Sample] = field(default_factory=list)

    def samples(self) -> tuple[Sample, ...]:
        """The n-th of each part together."""
        nothing = Sample(None, None, None)
        count = max(len(self.prompts), len(self.decodes))
        read = [*self.prompts, *[nothing] * (count - len(self.prompts))]
        made = [*self.decodes, *[nothing] * (count - len(self.decodes))]
        return tuple(
            replace(one, decode_ms=other.decode_ms, energy_j=other.energy_j)
            for one, other in zip(read, made, strict=True)
        )


class _Collector:
    def __init__(
        self,
        plan: BenchPlan,
        around: Surroundings,
        on_step: OnStep,
        launch: Launch,
        open_energy: Callable[..., EnergyMeter],
    ) -> None:
        self._plan, self._around, self._on_step = plan, around, on_step
        self._launch, self._open_energy = launch, open_energy
        self._forecast = Forecast(plan.workloads)
        self._loaded: dict[int, _Loaded] = {}
        self._taken: dict[tuple[int, int], _Taken] = {}
        self._others: list[tuple[float, float]] = []
        self._pending: list[Turn] = []

    def run(self) -> None:
        plan = self._plan
        count = len(plan.loads)
        blocks = [interleaved(count, plan.workloads, plan.repeat)]
        if not plan.together:
            blocks = list(in_blocks(count, plan.workloads, plan.repeat))
        self._pending = [turn for block in blocks for turn in block]
        for block in blocks:
            before = cpu_use()
            with contextlib.ExitStack() as stack:
                engines = {place: stack.enter_context(self._open(place)) for place in sorted({t.engine for t in block})}
                stack.callback(self._notice, before, [one.watch.engine.pid for one in engines.values()])
                for turn in block:
                    self._take(engines[turn.engine], turn)

    @contextlib.contextmanager
    def _open(self, place: int) -> Iterator[_Warm]:
        """The engine of a load, timed from its start, and warmed up."""
        load = self._plan.loads[place]
        self._tell(f"loading {_name(load)}")
        meter = self._open_energy(gpu=self._around.device(load.settings.gpu_layers, load.shape.layers) != "cpu")
        with self._started(load) as engine:
            watch, memory = Stopwatch(engine, meter), PeakMemory(engine.pid)
            cold_ms = engine.load_ms + watch.first_token()
            subject = replace(load.subject, build=engine.build)
            self._loaded.setdefault(place, _Loaded(subject, engine.load_ms, cold_ms, meter.source))
            self._tell(f"warming up {_name(load)}")
            self._forecast.warmed_up(place, watch.warm_up(self._plan.workloads))
            self._look(place, memory)
            yield _Warm(watch, memory)

    def _started(self, load: PlannedLoad) -> AbstractContextManager[BenchEngine]:
        program = self._plan.llama_server
        return self._launch(load.subject, load.settings, load.context_tokens, llama_server=program)

    def _notice(self, before: CpuUse | None, pids: Sequence[int]) -> None:
        """What others did with the processors since ``before``, when the processes ``pids`` were not yet there."""
        after = cpu_use(pids)
        used = others(before, after)
        if used is not None and before is not None and after is not None:
            self._others.append((used, after.at_s - before.at_s))

    def _take(self, warm: _Warm, turn: Turn) -> None:
        """Time one turn and keep its sample."""
        load = self._plan.workloads[turn.workload]
        self._tell(_words(self._plan, turn))
        taken = self._taken.setdefault((turn.engine, turn.workload), _Taken())
        if turn.part == "prompt":
            read = warm.watch.read_prompt(load.prompt_tokens)
            taken.prompts.append(Sample(read.prompt_ms, None, read.ttft_ms))
            self._forecast.took(turn, read.ttft_ms / 1000)
        else:
            made = warm.watch.decode(load.generated_tokens, load.depth_tokens)
            taken.decodes.append(Sample(None, made.decode_ms, None, made.energy_j))
            self._forecast.took(turn, made.took_s)
        self._pending.remove(turn)
        self._look(turn.engine, warm.memory)

    def _look(self, place: int, memory: PeakMemory) -> None:
        memory.look()
        self._loaded[place].peak = higher(self._loaded[place].peak, memory.peak)

    def _tell(self, text: str) -> None:
        self._on_step(Progress(text, self._forecast.left(self._pending)))

    def runs(self) -> tuple[Run, ...]:
        """What there is, load by load."""
        seconds = sum(lasted for _, lasted in self._others)
        used = sum(part * lasted for part, lasted in self._others) / seconds if seconds else None
        extra = {"schedule": self._plan.schedule, "repeat": self._plan.repeat, "others_busy_cores": used}
        found = [
            self._run(place, number, new_run_id(), now(), extra)
            for place in range(len(self._plan.loads))
            for number in range(len(self._plan.workloads))
            if (place, number) in self._taken and self._taken[place, number].samples()
        ]
        busy = busy_warning(self._around, used)
        return tuple(replace(run, warnings=(*([busy] if busy else []), *spread_warnings(run))) for run in found)

    def _run(self, place: int, number: int, run_id: str, made_at: str, extra: Mapping[str, Any]) -> Run:
        load, workload, loaded = self._plan.loads[place], self._plan.workloads[number], self._loaded[place]
        taken = self._taken[place, number]
        device = self._around.device(load.settings.gpu_layers, load.shape.layers)
        about = {"energy_source": loaded.energy, "weights_bytes": load.shape.weights_bytes, "device": device}
        return Run(
            run_id=run_id,
            made_at=made_at,
            subject=loaded.subject,
            settings=load.settings,
            workload=workload,
            context_tokens=load.context_tokens,
            samples=taken.samples(),
            load_ms=loaded.load_ms,
            cold_ttft_ms=loaded.cold_ttft_ms,
            peak=loaded.peak,
            hardware=self._around.to_data(),
            load_average=self._around.load_average,
            complete=all(_times(taken, part) == self._plan.repeat for part in _parts_of(workload)),
            extra=MappingProxyType({**extra, **about}),
        )


def _parts_of(workload: Workload) -> tuple[Part, ...]:
    asked: tuple[tuple[Part, int], ...] = (("prompt", workload.prompt_tokens), ("decode", workload.generated_tokens))
    return tuple(part for part, tokens in asked if tokens)


def _times(taken: _Taken, part: Part) -> int:
    return len(taken.prompts if part == "prompt" else taken.decodes)


def _name(load: PlannedLoad) -> str:
    return name_of(load.subject) + ("" if load.subject.engine == DEFAULT_ENGINE else f" on {load.subject.engine}")


def _words(plan: BenchPlan, turn: Turn) -> str:
    load = plan.workloads[turn.workload]
    what = f"processing {load.prompt_tokens} tokens"
    if turn.part == "decode":
        deep = f" after {load.depth_tokens}" if load.depth_tokens else ""
        what = f"generating {load.generated_tokens} tokens{deep}"
    return f"{what}, {turn.repetition + 1} of {plan.repeat}: {_name(plan.loads[turn.engine])}"
