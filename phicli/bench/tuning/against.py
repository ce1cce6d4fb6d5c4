"""Whether another engine is faster than the default one, each in its own best settings.

Every trial starts its engine again, and only one engine is loaded at a time. The rounds alternate which of the two
comes first, and are judged as those of settings are (:mod:`phicli.bench.tuning.verdict`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from phicli.bench.tuning.costs import Profile, Times
from phicli.bench.tuning.types import Compared, Job, Measure, Trial
from phicli.bench.tuning.verdict import OPEN, WON, interval, verdict
from phicli.engine.settings import EngineSettings
from phicli.records.tuned import USES

_USUAL: Final = Job(fresh=True)


class OneAtATime(Measure, Protocol):
    """Measures one engine: :class:`phicli.bench.tuning.engines.EnginePool`, or a machine of a test."""

    def close(self) -> None:
        """End the engine; the next trial starts it again."""


@dataclass(frozen=True, slots=True)
class EngineDuel:
    """The comparison of an engine with the engine of the build ``against``, for each use."""

    against: str
    compared: tuple[Compared, ...]

    @property
    def faster(self) -> Mapping[str, float]:
        """The uses for which it won, and how many times as fast it was."""
        return {one.use: one.ratio for one in self.compared if one.verdict == WON}

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        return {"build": self.against, "compared": [asdict(one) for one in self.compared]}


def compare_engines(
    incumbent: OneAtATime,
    challenger: OneAtATime,
    settings: Mapping[str, tuple[EngineSettings, EngineSettings]],
    profiles: Mapping[str, Profile],
    on_round: Callable[[int], None],
) -> tuple[Compared, ...]:
    """The comparison of ``challenger`` with ``incumbent`` for each use.

    Args:
        incumbent: the engine that is used so far.
        challenger: the other one.
        settings: for each use those of the incumbent and those of the challenger.
        profiles: the work that each use requires of an engine.
        on_round: called with the number of each round when it begins.

    Raises:
        EngineError: one of them failed.
    """
    found: dict[str, Compared] = {}
    number = 0
    for pair in dict.fromkeys(settings[use] for use in USES):
        uses = [use for use in USES if settings[use] == pair]
        rounds: list[tuple[Trial, Trial]] = []
        while not rounds or any(found[use].verdict == OPEN for use in uses):
            number += 1
            on_round(number)
            rounds.append(_round(incumbent, challenger, pair, number))
            found |= {use: _compared(use, profiles[use], rounds) for use in uses}
    return tuple(found[use] for use in USES)


def _round(
    incumbent: OneAtATime, challenger: OneAtATime, pair: tuple[EngineSettings, EngineSettings], number: int
) -> tuple[Trial, Trial]:
    longest = max(_USUAL.prompt_tokens, *(settings.batch_tokens for settings in pair))
    job = Job(prompt_tokens=longest, fresh=True)
    sides = list(zip((incumbent, challenger), pair, strict=True))
    trials = []
    for measure, settings in sides if number % 2 else reversed(sides):
        trials.append(measure(settings, job))
        measure.close()
    first, second = trials if number % 2 else reversed(trials)
    return first, second


def _compared(use: str, profile: Profile, rounds: list[tuple[Trial, Trial]]) -> Compared:
    ratios = tuple(profile.cost_ms(_times(first)) / profile.cost_ms(_times(second)) for first, second in rounds)
    found = interval(ratios)
    return Compared(use, verdict(ratios), found.estimate, found.low, found.high, ratios)


def _times(trial: Trial) -> Times:
    return Times(trial.start_ms, trial.prefill_ms, trial.decode_ms, trial.batched_ms)
