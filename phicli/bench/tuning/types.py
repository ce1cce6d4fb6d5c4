"""What is measured in tuning, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol, Self

from phicli.engine.settings import EngineSettings

START_TOKENS: Final = 16
"""Length of the prompt whose first token is timed from the start of the engine."""

SLOTS: Final = 4
"""Requests at a time, where many are."""

BATCHED_TOKENS: Final = 8
"""Tokens that each of them generates."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is done to measure settings once; 0 tokens leave a part out.

    ``prompt_tokens`` are read, then ``generated_tokens`` generated after the first ``depth_tokens`` of them (a few
    where that is 0). With ``batched`` several requests generate at a time. With ``fresh`` the engine is started again.
    """

    prompt_tokens: int = 64
    generated_tokens: int = 12
    depth_tokens: int = 0
    batched: bool = True
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement, in milliseconds; None where the job left it out.

    ``start_ms`` is from starting the engine to the first token after ``START_TOKENS``, ``prefill_ms`` a token of a
    prompt, ``decode_ms`` a generated token of one request, ``batched_ms`` one of ``SLOTS`` requests at a time (wall
    time divided by all their tokens).
    """

    settings: EngineSettings
    job: Job
    start_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None
    batched_ms: float | None = None

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        times = {name: getattr(self, name) for name in ("start_ms", "prefill_ms", "decode_ms", "batched_ms")}
        return {"settings": self.settings.to_data(), "job": asdict(self.job), **times}


class Measure(Protocol):
    """Measures settings once: the real engines (:mod:`phicli.bench.tuning.engines`), or a machine of a test."""

    def __call__(self, settings: EngineSettings, job: Job) -> Trial:
        """One trial.

        Raises:
            EngineError: the engine failed.
        """


@dataclass(frozen=True, slots=True)
class Compared:
    """How a duel came out for one use: ``ratio`` times as fast was the challenger, with its 95 % interval.

    The interval is None after one round. ``verdict`` is ``won``, ``lost``, ``undecided`` (the time was up), or
    ``noted``: faster, but not to be chosen without being asked for. ``rounds`` are the ratios of the rounds.
    """

    use: str
    verdict: str
    ratio: float
    low: float | None
    high: float | None
    rounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SearchStep:
    """A duel and what it meant for each use that it was about; ``value`` is the challenger's."""

    setting: str
    value: str
    incumbent: EngineSettings
    challenger: EngineSettings
    compared: tuple[Compared, ...]

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        return {
            "setting": self.setting,
            "value": self.value,
            "incumbent": self.incumbent.to_data(),
            "challenger": self.challenger.to_data(),
            "compared": [asdict(one) for one in self.compared],
        }


@dataclass(frozen=True, slots=True)
class UseResult:
    """Before and after for one use. Costs are in milliseconds (:mod:`phicli.bench.tuning.costs`), None if unknown.

    ``ratio`` with its 95 % interval says how many times as fast ``winner`` is; 1 where it is ``default``. Without an
    interval it was never measured against ``default`` itself, because the search was interrupted.
    """

    use: str
    default: EngineSettings
    winner: EngineSettings
    default_ms: float | None
    winner_ms: float | None
    ratio: float = 1.0
    low: float | None = 1.0
    high: float | None = 1.0

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        return {
            "use": self.use,
            "default": self.default.to_data(),
            "winner": self.winner.to_data(),
            "changed": self.winner != self.default,
            "default_ms": self.default_ms,
            "winner_ms": self.winner_ms,
            "ratio": {"mean": self.ratio, "low": self.low, "high": self.high},
        }


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """All that a search found; ``skipped`` says in words what was not tried, and why.

    ``complete`` is False when it was interrupted: then nothing may be kept of it.
    """

    results: Mapping[str, UseResult]
    steps: tuple[SearchStep, ...]
    trials: tuple[Trial, ...]
    skipped: tuple[str, ...]
    elapsed_s: float
    complete: bool = True

    @property
    def changes(self) -> bool:
        """Whether anything is faster than the defaults."""
        return any(one.winner != one.default for one in self.results.values())

    def with_defaults(self) -> Self:
        """The same without its winners: what was measured, and the defaults."""
        stay = {
            use: UseResult(use, one.default, one.default, one.default_ms, one.default_ms)
            for use, one in self.results.items()
        }
        return replace(self, results=stay)

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and in the history."""
        return {
            "uses": [one.to_data() for one in self.results.values()],
            "steps": [one.to_data() for one in self.steps],
            "trials": [one.to_data() for one in self.trials],
            "skipped": list(self.skipped),
            "elapsed_s": round(self.elapsed_s, 1),
            "complete": self.complete,
        }
