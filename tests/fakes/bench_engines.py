"""Engines for benchmarks whose clock is a formula, and a record of who was asked for what, in which order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.measuring.surroundings import Surroundings
from phicli.engine.settings import EngineSettings
from phicli.engine.types import NO_TOKENS, GenerationEvent, Sampling
from phicli.fit.shape import ModelShape
from phicli.hardware.types import Cpu, Memory
from phicli.records.run import Subject
from tests.fakes.clocked_engine import Clock, ClockedEngine

CLOCK = Clock(layer=2.0, fixed=10.0, attention=0.5, prefill=1.0, prefill_fixed=7.0)
GIB = 1 << 30


@dataclass(frozen=True)
class Asked:
    """One request: of which engine, for how many tokens after how many."""

    engine: str
    prompt_tokens: int
    generated_tokens: int


@dataclass
class Laboratory:
    """Starts engines; ``interrupts_at`` and ``fails_at`` count the requests to all of them, the first is 1.

    ``builds`` are those of the engines in the order of their starts; the usual one where it is empty.
    """

    ends_after: int = 1 << 30
    interrupts_at: int = 0
    fails_at: int = 0
    failure: Exception = field(default_factory=lambda: RuntimeError("no failure was given"))
    asked: list[Asked] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    most_loaded: int = 0
    builds: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def launch(
        self,
        subject: Subject,
        settings: EngineSettings,
        context_tokens: int,
        *,
        slots: int = 1,
        llama_server: Path | None = None,
    ) -> Iterator[LabEngine]:
        name = f"{subject.model}/{settings.threads}"
        self.started.append(name)
        self.loaded.append(name)
        self.most_loaded = max(self.most_loaded, len(self.loaded))
        try:
            yield LabEngine(self, name, settings.threads, context_tokens)
        finally:
            self.loaded.remove(name)

    def counted(self, after: int = 0) -> list[str]:
        """Who was asked, in order, without the first ``after``."""
        return [one.engine for one in self.asked[after:]]


class LabEngine(ClockedEngine):
    """As many layers as threads: more threads are slower here, by a known amount."""

    def __init__(self, laboratory: Laboratory, name: str, layers: int, context_tokens: int) -> None:
        super().__init__(layers, CLOCK, context_tokens=context_tokens, ends_after=laboratory.ends_after)
        self._laboratory, self._name = laboratory, name
        self.build = laboratory.builds.pop(0) if laboratory.builds else "clocked 1.0"

    @property
    def pid(self) -> int:
        return os.getpid()

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Iterator[GenerationEvent]:
        assert sampling.ignore_eos
        laboratory = self._laboratory
        laboratory.asked.append(Asked(self._name, len(prompt), sampling.max_tokens or 0))
        if len(laboratory.asked) == laboratory.interrupts_at:
            raise KeyboardInterrupt
        if len(laboratory.asked) == laboratory.fails_at:
            raise laboratory.failure
        yield from super().generate(prompt, sampling)


def subject(model: str = "phi-4-mini", quant: str = "Q4_K_M") -> Subject:
    """A file that is nowhere: nothing here opens it."""
    return Subject(model, quant, model, Path(f"/nowhere/{model}.gguf"), GIB)


def load(model: str = "phi-4-mini", threads: int = 2, *, gib: float = 2.0, context_tokens: int = 2048) -> PlannedLoad:
    """A model of about the shape of Phi-4-mini with ``gib`` of weights."""
    shape = ModelShape(
        weights_bytes=int(gib * GIB),
        repackable_bytes=int(gib * GIB / 2),
        layers=32,
        embedding=3072,
        feed_forward=8192,
        heads=24,
        kv_heads_total=8 * 32,
        key_length=128,
        value_length=128,
        vocabulary=200064,
        trained_context_tokens=131072,
    )
    return PlannedLoad(subject(model), EngineSettings(threads), shape, context_tokens)


def memory(gib: float) -> Memory:
    """A machine with ``gib`` of memory, all of it available."""
    return Memory(int(gib * GIB), int(gib * GIB), "a test")


def around(*, gib: float = 64, load_average: float | None = 0.0, cores: int = 2) -> Surroundings:
    """A machine without graphics processors."""
    return Surroundings(Cpu("a processor", cores, cores), memory(gib), (), "a system", load_average)
