"""What a use costs with given settings, from the times that were measured with them.

- one answer: start to the first token of a short prompt, the rest of a prompt of 64 tokens, and 150 tokens of answer
  (1,500 where the model reasons first)
- conversation: a turn of 128 tokens is read and 200 are generated; loading is hidden behind typing
- batch: a request of many reads 128 tokens and generates 64, with several requests at a time

What a trial left out has the value that is known for the settings it was derived from: a duel measures only what the
changed value can change.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phicli.bench.tuning.types import START_TOKENS, Trial
from phicli.engine.settings import EngineSettings
from phicli.records.tuned import BATCH, CONVERSATION, ONE_ANSWER

_REASONED_TOKENS: Final = 1500


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds, as in :class:`~phicli.bench.tuning.types.Trial`; None where unknown."""

    start_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None
    batched_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a use asks of the engine, in tokens."""

    prompt_tokens: int
    answer_tokens: int
    starts: bool = False
    batched: bool = False

    def cost_ms(self, times: Times) -> float:
        """Milliseconds that it takes; what is unknown counts nothing."""
        read = self.prompt_tokens - (START_TOKENS if self.starts else 0)
        token = times.batched_ms if self.batched else times.decode_ms
        start = times.start_ms if self.starts else 0.0
        return (start or 0.0) + read * (times.prefill_ms or 0.0) + self.answer_tokens * (token or 0.0)


def profiles(*, reasoning: bool = False) -> Mapping[str, Profile]:
    """The profile of each use."""
    return {
        ONE_ANSWER: Profile(64, _REASONED_TOKENS if reasoning else 150, starts=True),
        CONVERSATION: Profile(128, 200),
        BATCH: Profile(128, 64, batched=True),
    }


class Book:
    """All trials of a search, and what they say about settings."""

    def __init__(self) -> None:
        self._trials: list[Trial] = []
        self._parents: dict[EngineSettings, EngineSettings] = {}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """In the order of time."""
        return tuple(self._trials)

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        self._trials.append(trial)

    def knows(self, settings: EngineSettings) -> bool:
        """Whether there is a trial of ``settings``."""
        return any(one.settings == settings for one in self._trials)

    def derive(self, settings: EngineSettings, parent: EngineSettings) -> None:
        """Say that ``settings`` are those of ``parent`` with one value changed."""
        if settings != parent:
            self._parents.setdefault(settings, parent)

    def times(self, settings: EngineSettings) -> Times:
        """What is known of ``settings``: the means of its trials, else what is known of the settings it is from."""
        own = [one for one in self._trials if one.settings == settings]
        shallow = [one for one in own if not one.job.depth_tokens]
        found = Times(
            _mean([one.start_ms for one in self._trials if one.settings.repack == settings.repack and one.job.fresh]),
            _mean([one.prefill_ms for one in own]),
            _mean([one.decode_ms for one in shallow]),
            _mean([one.batched_ms for one in shallow]),
        )
        seen = {settings}
        while settings in self._parents and self._parents[settings] not in seen:
            settings = self._parents[settings]
            seen.add(settings)
            found = _filled(found, self.times_of_own(settings))
        return found

    def times_of_own(self, settings: EngineSettings) -> Times:
        """The means of the trials of ``settings`` alone."""
        own = [one for one in self._trials if one.settings == settings and not one.job.depth_tokens]
        return Times(
            None,
            _mean([one.prefill_ms for one in own]),
            _mean([one.decode_ms for one in own]),
            _mean([one.batched_ms for one in own]),
        )

    def pair(self, incumbent: Trial, challenger: Trial) -> tuple[Times, Times]:
        """The times of one round, comparable: what is not in both is in both what is known of the incumbent."""
        known = self.times(incumbent.settings)
        sides = []
        for one in (incumbent, challenger):
            both = {
                name: getattr(one, name)
                for name in ("start_ms", "prefill_ms", "decode_ms", "batched_ms")
                if getattr(incumbent, name) is not None and getattr(challenger, name) is not None
            }
            sides.append(replace(known, **both))
        return sides[0], sides[1]


def _filled(found: Times, other: Times) -> Times:
    names = ("start_ms", "prefill_ms", "decode_ms", "batched_ms")
    mine = ((name, getattr(found, name)) for name in names)
    return Times(**{name: getattr(other, name) if value is None else value for name, value in mine})


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
