"""Benchmarks of local models: starts the engines, takes turns, makes runs of what was timed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from phicli.bench.launch import BenchEngine, Launch, check_build, start
from phicli.bench.measuring.bench_plan import BenchPlan
from phicli.bench.measuring.energy import EnergyMeter, open_meter
from phicli.bench.measuring.forecast import Forecast
from phicli.bench.measuring.grid import Turn, in_blocks, interleaved
from phicli.bench.measuring.measure import Stopwatch
from phicli.bench.measuring.peak_memory import PeakMemory, higher
from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.measuring.samples import Loaded, Taken, measured_run, text_sample, with_equal_answers
from phicli.bench.measuring.surroundings import CpuUse, Surroundings, busy_warning, cpu_use, others, spread_warnings
from phicli.bench.measuring.texts import prompt_of, question
from phicli.catalog.display_name import name_of
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.errors import PhiError, UserInterruptError
from phicli.records.run import Run, Sample, Workload
from phicli.records.workload_texts import TEXTS


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


@dataclass(frozen=True, slots=True)
class _Warm:
    """A loaded engine between its turns."""

    watch: Stopwatch
    memory: PeakMemory


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
        self._loaded: dict[int, Loaded] = {}
        self._taken: dict[tuple[int, int], Taken] = {}
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
            loaded = self._loaded.setdefault(place, Loaded(subject, engine.load_ms, cold_ms, meter.source))
            check_build(engine.build, loaded.subject.build)
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
        taken = self._taken.setdefault((turn.engine, turn.workload), Taken())
        if turn.part == "prompt":
            read = warm.watch.read_prompt(load.prompt_tokens)
            taken.prompts.append(Sample(read.prompt_ms, None, read.ttft_ms))
            self._forecast.took(turn, read.ttft_ms / 1000)
        else:
            taken.decodes.append(self._generated(warm, load, turn))
        self._pending.remove(turn)
        self._look(turn.engine, warm.memory)

    def _generated(self, warm: _Warm, load: Workload, turn: Turn) -> Sample:
        if load.text is None:
            made = warm.watch.decode(load.generated_tokens, load.depth_tokens)
            sample = Sample(None, made.decode_ms, None, made.energy_j)
        else:
            made = warm.watch.answer(self._prompt(warm.watch.engine, load, turn), load.generated_tokens)
            sample = text_sample(made)
        self._forecast.took(turn, made.took_s)
        return sample

    def _prompt(self, engine: BenchEngine, load: Workload, turn: Turn) -> tuple[int, ...]:
        assert load.text is not None  # noqa: S101 (only then there is one)
        subject = self._plan.loads[turn.engine].subject
        return prompt_of(question(load.text, load.generated_tokens, turn.repetition), engine, subject)

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
            measured_run(load, self._loaded[place], workload, self._taken[place, number], self._around, extra)
            for place, load in enumerate(self._plan.loads)
            for number, workload in enumerate(self._plan.workloads)
            if (place, number) in self._taken and self._taken[place, number].samples()
        ]
        busy = busy_warning(self._around, used)
        warned = [replace(run, warnings=(*([busy] if busy else []), *spread_warnings(run))) for run in found]
        return tuple(with_equal_answers(run, warned) for run in warned)


def _name(load: PlannedLoad) -> str:
    return name_of(load.subject) + ("" if load.subject.engine == DEFAULT_ENGINE else f" on {load.subject.engine}")


def _words(plan: BenchPlan, turn: Turn) -> str:
    load = plan.workloads[turn.workload]
    what = f"processing {load.prompt_tokens} tokens"
    if turn.part == "decode":
        deep = f" after {load.depth_tokens}" if load.depth_tokens else ""
        text = f" of {TEXTS[load.text]}" if load.text else ""
        what = f"generating {load.generated_tokens} tokens{text}{deep}"
    return f"{what}, {turn.repetition + 1} of {plan.repeat}: {_name(plan.loads[turn.engine])}"
