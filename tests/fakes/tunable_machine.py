"""A machine whose speed is a formula of the settings: it keeps its own clock and remembers what it was asked."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from phicli.bench.tuning.types import BATCHED_TOKENS, SLOTS, START_TOKENS, Job, Trial
from phicli.engine.settings import EngineSettings
from phicli.errors import EngineError

Factor = Callable[[EngineSettings], float]
"""How many times as long something takes with these settings; 1 is the usual time."""


def _one(_: EngineSettings) -> float:
    return 1.0


@dataclass
class TunableMachine:
    """Like a model of 4 billion parameters on two cores. ``noise`` is the standard deviation of the logarithm.

    ``changes_after`` trials every difference between settings is gone. ``interrupted_at`` is the trial (from 1) in
    which somebody presses Ctrl-C. Settings of which ``fails`` is true cannot be loaded.
    """

    prefill: Factor = _one
    decode: Factor = _one
    batched: Factor = _one
    start: Factor = _one
    noise: float = 0.0
    seed: int = 1
    changes_after: int = 1 << 30
    interrupted_at: int = 0
    fails: Callable[[EngineSettings], bool] = lambda _: False
    now_s: float = 0.0
    asked: list[tuple[EngineSettings, Job]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def clock(self) -> float:
        return self.now_s

    def __call__(self, settings: EngineSettings, job: Job) -> Trial:
        self.asked.append((settings, job))
        if len(self.asked) == self.interrupted_at:
            raise KeyboardInterrupt
        if self.fails(settings):
            raise EngineError("the engine could not load the model")
        start, prefill = self._ms(1700, self.start, settings), self._ms(30, self.prefill, settings)
        decode, batched = self._ms(100, self.decode, settings), self._ms(50, self.batched, settings)
        took = (start if job.fresh else 0) + prefill * (job.prompt_tokens + START_TOKENS)
        took += decode * job.generated_tokens + (batched * SLOTS * BATCHED_TOKENS if job.batched else 0)
        self.now_s += took / 1000
        return Trial(
            settings,
            job,
            start_ms=start if job.fresh else None,
            prefill_ms=prefill if job.prompt_tokens else None,
            decode_ms=decode if job.generated_tokens else None,
            batched_ms=batched if job.batched else None,
        )

    def _ms(self, usual: float, factor: Factor, settings: EngineSettings) -> float:
        by_settings = 1.0 if len(self.asked) > self.changes_after else factor(settings)
        return usual * by_settings * math.exp(self._random.gauss(0, self.noise))
