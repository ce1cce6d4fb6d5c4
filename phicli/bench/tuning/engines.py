"""Measures settings with the engine itself. Engines stay loaded between rounds where the memory is there for two."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from phicli.bench.launch import BenchEngine, check_build
from phicli.bench.measuring.generation import FIRST_ID, generate, ids_after, token_ms
from phicli.bench.measuring.surroundings import CpuUse, cpu_use
from phicli.bench.tuning.types import BATCHED_TOKENS, SLOTS, START_TOKENS, Job, Trial
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Done, Sampling

_SHORT_TOKENS: Final = 8
_TURNS: Final = 500
_LEAST_S: Final = 0.25
_MOST_REPEATS: Final = 8
_RUNNING: Final = 2
_SHORTEST_S: Final = 0.5

StartEngine = Callable[[EngineSettings], AbstractContextManager[BenchEngine]]
"""Starts an engine with a context for each of ``SLOTS`` sequences; leaving it ends the engine."""


@dataclass(slots=True)
class _Running:
    engine: BenchEngine
    context: AbstractContextManager[BenchEngine]


class EnginePool:
    """A :class:`~phicli.bench.tuning.types.Measure` by real engines.

    Args:
        start: starts an engine.
        together: whether engines with all of these settings fit into memory at the same time.
    """

    def __init__(self, start: StartEngine, together: Callable[[Sequence[EngineSettings]], bool]) -> None:
        self._start, self._together = start, together
        self._running: dict[EngineSettings, _Running] = {}
        self._turn = 0
        self._watched_s = self._others_s = 0.0
        self.build = ""

    @property
    def used_by_others(self) -> float | None:
        """Processors that other programs kept busy during the trials, on average; None when it is unknown."""
        return max(self._others_s, 0.0) / self._watched_s if self._watched_s >= _SHORTEST_S else None

    def __call__(self, settings: EngineSettings, job: Job) -> Trial:
        """One trial; what takes less than a quarter of a second is repeated up to eight times, and the mean taken.

        Prompts are ids below 900, which every vocabulary of a Phi model has, and no two begin alike, so that nothing
        of them is known to the engine; the first and the short ones come once without counting. Before the first
        trial an engine is started in vain, so that the file is in the memory and every start that counts is a warm one.

        Raises:
            EngineError: the engine failed.
            BuildChangedError: it has another build than before.
        """
        if not self.build:
            warming = replace(settings, repack=False)
            self._engine(warming)
            self._stop(warming)
        if job.fresh:
            self._stop(settings)
        engine, start_ms = self._engine(settings)
        pids = [one.engine.pid for one in self._running.values()]
        before = cpu_use(pids)
        trial = self._timed(Trial(settings, job, start_ms=start_ms if job.fresh else None), engine)
        self._watch(before, cpu_use(pids))
        return trial

    def close(self) -> None:
        """End all engines."""
        for settings in tuple(self._running):
            self._stop(settings)

    def _timed(self, trial: Trial, engine: BenchEngine) -> Trial:
        """``trial`` with what its job asks for."""
        job = trial.job
        if job.prompt_tokens:
            trial = replace(trial, prefill_ms=_repeated(lambda: self._prefill_ms(engine, job.prompt_tokens)))
        if job.generated_tokens:
            before = _prompt(job.depth_tokens, self._turn) if job.depth_tokens else _prompt(_SHORT_TOKENS, -1)
            _generate(engine, before, 1)
            trial = replace(
                trial, decode_ms=_repeated(lambda: token_ms(_generate(engine, before, job.generated_tokens + 1)))
            )
        if job.batched:
            trial = replace(trial, batched_ms=_batched_ms(engine))
        return trial

    def _watch(self, before: CpuUse | None, after: CpuUse | None) -> None:
        """Add what others did; trials are short, so nothing of them alone is rounded away."""
        if before is not None and after is not None:
            self._watched_s += after.at_s - before.at_s
            self._others_s += (after.busy_s - before.busy_s) - (after.own_s - before.own_s)

    def _engine(self, settings: EngineSettings) -> tuple[BenchEngine, float | None]:
        """The engine with ``settings``, and milliseconds to its first token where it was started for that."""
        if settings in self._running:
            self._running[settings] = self._running.pop(settings)  # the one used last comes last
            return self._running[settings].engine, None
        while self._running and not self._has_room(settings):
            self._stop(next(iter(self._running)))
        began = time.monotonic()
        context = self._start(settings)
        engine = context.__enter__()
        self._running[settings] = _Running(engine, context)
        check_build(engine.build, self.build or engine.build)
        self._turn += 1
        _generate(engine, _prompt(START_TOKENS, self._turn), 1)
        start_ms = (time.monotonic() - began) * 1000
        self.build = engine.build
        return engine, start_ms

    def _has_room(self, settings: EngineSettings) -> bool:
        return len(self._running) < _RUNNING and self._together((*self._running, settings))

    def _stop(self, settings: EngineSettings) -> None:
        running = self._running.pop(settings, None)
        if running is not None:
            running.context.__exit__(None, None, None)

    def _prefill_ms(self, engine: BenchEngine, tokens: int) -> float:
        self._turn += 1
        done = _generate(engine, _prompt(tokens, self._turn), 1)
        return done.timings.prompt_ms / max(done.usage.prompt_tokens - done.usage.cached_tokens, 1)


@contextmanager
def engine_pool(start: StartEngine, together: Callable[[Sequence[EngineSettings]], bool]) -> Iterator[EnginePool]:
    """An :class:`EnginePool`; leaving it ends the engines."""
    pool = EnginePool(start, together)
    try:
        yield pool
    finally:
        pool.close()


def _repeated(once: Callable[[], float]) -> float:
    """The mean of as many repetitions as fit into a quarter of a second."""
    began = time.monotonic()
    values = [once()]
    while time.monotonic() - began < _LEAST_S and len(values) < _MOST_REPEATS:
        values.append(once())
    return sum(values) / len(values)


def _batched_ms(engine: BenchEngine) -> float:
    """Milliseconds of the wall for each token of ``SLOTS`` requests at a time, their prompts known to the engine."""
    prompts = [_prompt(_SHORT_TOKENS, -2 - place) for place in range(SLOTS)]

    def all_at_once(most: int) -> int:
        with ThreadPoolExecutor(SLOTS) as threads:
            done = list(threads.map(lambda prompt: _generate(engine, prompt, most), prompts))
        return sum(one.usage.completion_tokens for one in done)

    def once() -> float:
        began = time.monotonic()
        count = all_at_once(BATCHED_TOKENS)
        return 1000 * (time.monotonic() - began) / max(count, 1)

    all_at_once(1)
    return _repeated(once)


def _generate(engine: BenchEngine, prompt: Sequence[int], most: int) -> Done:
    return generate(engine, prompt, Sampling(max_tokens=most, ignore_eos=True)).done


def _prompt(tokens: int, turn: int) -> tuple[int, ...]:
    """Ids without a pattern, of which the first distinguishes turns; those of short ones are negative."""
    return ids_after(FIRST_ID + (turn % _TURNS if turn >= 0 else turn), tokens)
