"""Duels of two settings: interleaved rounds until it is decided which is faster for a use, or the time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phicli.bench.tuning.costs import Book, Profile
from phicli.bench.tuning.jobs import CONFIRM, job_for
from phicli.bench.tuning.space import BATCH_TOKENS, in_words
from phicli.bench.tuning.types import BATCHED_TOKENS, SLOTS, START_TOKENS, Compared, Job, Measure, SearchStep, Trial
from phicli.bench.tuning.verdict import LOST, MARGIN, NOTED, OPEN, WIDE_MARGIN, WON, interval, verdict
from phicli.engine.settings import FIELDS, EngineSettings
from phicli.errors import EngineError
from phicli.records.tuned import BATCH

OnStep = Callable[[str, float], None]
"""Called with the current measurement, and about how many seconds of the budget are left."""


@dataclass(slots=True)
class _Duel:
    """Rounds of two settings against each other."""

    first: EngineSettings
    second: EngineSettings
    rounds: list[tuple[Trial, Trial]] = field(default_factory=list)

    def trials(self, incumbent: EngineSettings) -> list[tuple[Trial, Trial]]:
        """The rounds with those of ``incumbent`` first."""
        return self.rounds if incumbent == self.first else [(right, left) for left, right in self.rounds]


@dataclass(frozen=True, slots=True)
class _Fight:
    """A duel that is under way, and the uses that it is about."""

    setting: str
    incumbent: EngineSettings
    challenger: EngineSettings
    uses: tuple[str, ...]


class Duels:
    """All duels of a search, and the trials in them.

    Args:
        measure: measures settings once.
        profiles: what each use costs.
        deadline: no round is begun that would not end then, by ``clock``, except in the first duel.
        clock: seconds, from any beginning.
        on_step: called with a description of the current step.
    """

    def __init__(
        self,
        measure: Measure,
        profiles: Mapping[str, Profile],
        *,
        deadline: float,
        clock: Callable[[], float],
        on_step: OnStep,
    ) -> None:
        self.book = Book()
        self._measure, self._profiles, self._clock, self._tell = measure, profiles, clock, on_step
        self._deadline = deadline
        self._duels: dict[frozenset[EngineSettings], _Duel] = {}
        self._fighting: _Fight | None = None

    def fight(
        self, setting: str, incumbent: EngineSettings, challenger: EngineSettings, uses: Sequence[str], least: int = 0
    ) -> bool:
        """Fight rounds until it is decided for ``uses`` or the time is up; False when there was none for any round.

        ``least`` rounds take place even if the time is up.

        Raises:
            EngineError: the engine failed with one of the settings.
        """
        self.book.derive(challenger, incumbent)
        duel = self._duels.setdefault(frozenset((incumbent, challenger)), _Duel(incumbent, challenger))
        job = job_for(setting, incumbent, challenger)
        self._fighting = _Fight(setting, incumbent, challenger, tuple(uses))
        try:
            while self._goes_on(duel, job, least):
                what = f"{_against(setting, incumbent, challenger)}, round {len(duel.rounds) + 1}"
                duel.rounds.append((self.trial(duel.first, job, what), self.trial(duel.second, job, what)))
        except EngineError:
            self._fighting = None
            raise
        self._fighting = None
        return bool(duel.rounds)

    def forget(self, first: EngineSettings, second: EngineSettings) -> None:
        """Discard the rounds of the two, so that their next duel begins again."""
        self._duels.pop(frozenset((first, second)), None)

    def _goes_on(self, duel: _Duel, job: Job, least: int) -> bool:
        """Whether the duel that is under way has another round."""
        assert self._fighting is not None  # noqa: S101 (it is under way)
        setting, incumbent, challenger = self._fighting.setting, self._fighting.incumbent, self._fighting.challenger
        said = {self.compare(setting, use, incumbent, challenger).verdict for use in self._fighting.uses}
        if OPEN not in said and (len(duel.rounds) >= least or said == {LOST}):
            return False
        wanted = len(duel.rounds) < least or len(self._duels) == 1
        return wanted or self._clock() + self._round_s(duel, job) <= self._deadline

    def trial(self, settings: EngineSettings, job: Job, what: str) -> Trial:
        """Measure ``settings`` once, and remember it; ``what`` is said before.

        Raises:
            EngineError: the engine failed.
        """
        self._tell(what, max(self._deadline - self._clock(), 0.0))
        trial = self._measure(settings, job)
        self.book.add(trial)
        return trial

    def compare(self, setting: str, use: str, incumbent: EngineSettings, challenger: EngineSettings) -> Compared:
        """How the duel of ``challenger`` with ``incumbent``, which differ in ``setting``, stands for ``use``."""
        duel = self._duels[frozenset((incumbent, challenger))]
        large = setting == BATCH_TOKENS and challenger.batch_tokens > FIELDS[BATCH_TOKENS].default and use != BATCH
        exact = challenger.kv_type == incumbent.kv_type
        ratios = []
        for left, right in duel.trials(incumbent):
            before, after = self.book.pair(left, right)
            if large:  # it makes an interruption slower, so what counts is reading alone
                ratios.append((before.prefill_ms or 1.0) / (after.prefill_ms or 1.0))
            else:
                ratios.append(self._profiles[use].cost_ms(before) / self._profiles[use].cost_ms(after))
        said = verdict(ratios, WIDE_MARGIN if large or not exact else MARGIN)
        if said == WON and not exact:
            said = NOTED
        found = interval(ratios) if ratios else None
        return Compared(
            use,
            said,
            found.estimate if found else 1.0,
            found.low if found else None,
            found.high if found else None,
            tuple(ratios),
        )

    def rounds(self, default: EngineSettings, winner: EngineSettings) -> list[tuple[Trial, Trial]]:
        """The rounds of the two, with those of ``default`` first."""
        duel = self._duels.get(frozenset((default, winner)))
        return duel.trials(default) if duel else []

    def unfinished(self) -> Iterator[SearchStep]:
        """The rounds of an interrupted duel; they do not decide anything."""
        fight = self._fighting
        if fight is None or not self._duels[frozenset((fight.incumbent, fight.challenger))].rounds:
            return
        compared = (self.compare(fight.setting, use, fight.incumbent, fight.challenger) for use in fight.uses)
        what = in_words(fight.setting, getattr(fight.challenger, fight.setting, ""))
        undecided = tuple(replace(one, verdict=OPEN) for one in compared)
        yield SearchStep(fight.setting, what, fight.incumbent, fight.challenger, undecided)

    def _round_s(self, duel: _Duel, job: Job) -> float:
        """An estimate of the seconds in the next round; the first round also starts an engine."""
        seconds = 0.0
        for settings in (duel.first, duel.second):
            times = self.book.times(settings)
            starts = job.fresh or (settings == duel.second and not duel.rounds)
            milliseconds = (times.start_ms or 0.0) if starts else 0.0
            milliseconds += (times.prefill_ms or 0.0) * (job.prompt_tokens + START_TOKENS)
            milliseconds += (times.decode_ms or 0.0) * job.generated_tokens
            milliseconds += (times.batched_ms or 0.0) * SLOTS * BATCHED_TOKENS if job.batched else 0.0
            seconds += milliseconds / 1000
        return seconds


def _against(setting: str, incumbent: EngineSettings, challenger: EngineSettings) -> str:
    if setting == CONFIRM:
        return "the faster settings against the defaults"
    old, new = getattr(incumbent, setting), getattr(challenger, setting)
    return f"{in_words(setting, new)} against {in_words(setting, old).rpartition(' ')[2]}"
