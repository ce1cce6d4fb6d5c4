"""The search itself: duels in a fixed order, each decided by interleaved rounds, within a time budget."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from phicli.bench.tuning.costs import Book, Profile, profiles
from phicli.bench.tuning.jobs import CONFIRM, job_for
from phicli.bench.tuning.space import BATCH_TOKENS, ORDER, Space, in_words
from phicli.bench.tuning.types import (
    BATCHED_TOKENS,
    SLOTS,
    START_TOKENS,
    Compared,
    Job,
    Measure,
    SearchOutcome,
    SearchStep,
    Trial,
    UseResult,
)
from phicli.bench.tuning.verdict import LOST, MARGIN, NOTED, OPEN, WIDE_MARGIN, WON, interval, verdict
from phicli.engine.settings import FIELDS, EngineSettings
from phicli.errors import EngineError
from phicli.records.tuned import BATCH, CONVERSATION, USES

OnStep = Callable[[str, float], None]
"""Told what is being measured, and about how many seconds of the budget are left."""

_CONFIRM_ROUNDS: Final = 3
_LEAD: Final = (CONVERSATION, *(use for use in USES if use != CONVERSATION))
"""The use whose settings a value is tried with first."""


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


class Search:
    """Coordinate descent over ``space``.

    Args:
        space: where to look.
        measure: measures settings once.
        budget_s: seconds after which no round is begun that would not end in time. The first duel takes place anyway,
            and so do the three rounds that confirm winners.
        reasoning: whether the model reasons before it answers.
        clock: seconds, from any beginning.
        on_step: told what is being done.
    """

    def __init__(
        self,
        space: Space,
        measure: Measure,
        *,
        budget_s: float = 180.0,
        reasoning: bool = False,
        clock: Callable[[], float] = time.monotonic,
        on_step: OnStep | None = None,
    ) -> None:
        self._space, self._measure, self._clock = space, measure, clock
        self._tell = on_step or (lambda _text, _left: None)
        self._profiles: Mapping[str, Profile] = profiles(reasoning=reasoning)
        self._best = dict.fromkeys(USES, space.default)
        self._book = Book()
        self._duels: dict[frozenset[EngineSettings], _Duel] = {}
        self._steps: list[SearchStep] = []
        self._fighting: _Fight | None = None
        self._skipped: list[str] = []
        self._began = clock()
        self._deadline = self._began + budget_s

    def run(self) -> SearchOutcome:
        """Search to the end.

        Raises:
            EngineError: the engine failed with the current settings; with others it only rules them out.
            KeyboardInterrupt: then :meth:`outcome` says what was found so far.
        """
        for setting in ORDER:
            for value in self._space.values.get(setting, ()):
                self._try(setting, value)
            if not self._book.trials:  # repacking is not for this file, or not for this memory
                for settings in dict.fromkeys(self._best.values()):
                    self._trial(settings, Job(fresh=True), "the current settings")
        self._confirm()
        return self.outcome()

    def outcome(self, *, complete: bool = True) -> SearchOutcome:
        """What was found so far."""
        results = {use: self._result(use) for use in USES}
        elapsed = self._clock() - self._began
        skipped = tuple(dict.fromkeys(self._skipped))
        steps = (*self._steps, *(() if complete else self._unfinished()))
        return SearchOutcome(results, steps, self._book.trials, skipped, elapsed, complete)

    def _unfinished(self) -> Iterator[SearchStep]:
        """The duel that was interrupted, as far as it got; its rounds decide nothing."""
        fight = self._fighting
        if fight is None or not self._duels[frozenset((fight.incumbent, fight.challenger))].rounds:
            return
        compared = (self._compare(fight.setting, use, fight.incumbent, fight.challenger) for use in fight.uses)
        what = in_words(fight.setting, getattr(fight.challenger, fight.setting, ""))
        undecided = tuple(replace(one, verdict=OPEN) for one in compared)
        yield SearchStep(fight.setting, what, fight.incumbent, fight.challenger, undecided)

    def _try(self, setting: str, value: Any) -> None:
        """One value, with the settings that are best so far for each use; the conversation's come first.

        A use whose settings are others is left out where the value lost for it already with the first ones.
        """
        lost: set[str] = set()
        for incumbent in dict.fromkeys(self._best[use] for use in _LEAD):
            challenger = replace(incumbent, **{setting: value})
            uses = [use for use in USES if self._best[use] == incumbent and use not in lost]
            uses = [use for use in uses if self._is_possible(use, setting, incumbent, challenger)]
            if not uses:
                continue
            try:
                fought = self._duel(setting, incumbent, challenger, uses)
            except EngineError as error:
                if not self._book.knows(incumbent):
                    raise
                self._skipped.append(f"{in_words(setting, value)}: {error.message}")
                self._fighting = None
                continue
            if not fought:
                self._skipped.append(f"{in_words(setting, value)}: out of time")
                return
            compared = [self._compare(setting, use, incumbent, challenger) for use in uses]
            self._steps.append(SearchStep(setting, in_words(setting, value), incumbent, challenger, tuple(compared)))
            self._best |= {one.use: challenger for one in compared if one.verdict == WON}
            if any(one.verdict == OPEN for one in compared):
                self._skipped.append(f"{in_words(setting, value)}: undecided: out of time")
            others = [use for use in USES if use not in uses]
            lost |= {use for use in others if self._compare(setting, use, incumbent, challenger).verdict == LOST}

    def _is_possible(self, use: str, setting: str, incumbent: EngineSettings, challenger: EngineSettings) -> bool:
        """Whether there is a duel to fight: another value, known to the engine, within memory, next on its ladder."""
        if challenger == incumbent or not challenger.is_possible:
            return False
        half = challenger.batch_tokens // 2
        if setting == BATCH_TOKENS and half in self._space.values[setting] and incumbent.batch_tokens < half:
            return False
        fits = self._space.fits(use, challenger)
        if not fits:
            self._skipped.append(f"{in_words(setting, getattr(challenger, setting))}: does not fit into memory")
        return fits

    def _duel(
        self, setting: str, incumbent: EngineSettings, challenger: EngineSettings, uses: Sequence[str], least: int = 0
    ) -> bool:
        """Fight rounds until it is decided for ``uses`` or the time is up; False when there was none for any round.

        ``least`` rounds take place whatever the time.
        """
        self._book.derive(challenger, incumbent)
        duel = self._duels.setdefault(frozenset((incumbent, challenger)), _Duel(incumbent, challenger))
        job = job_for(setting, incumbent, challenger)
        pair = (duel.first, duel.second)
        self._fighting = _Fight(setting, incumbent, challenger, tuple(uses))
        while True:
            said = {self._compare(setting, use, incumbent, challenger).verdict for use in uses}
            if OPEN not in said and (len(duel.rounds) >= least or said == {LOST}):
                break
            wanted = len(duel.rounds) < least or len(self._duels) == 1
            if not wanted and self._clock() + self._round_s(duel, job) > self._deadline:
                break
            what = f"{_against(setting, incumbent, challenger)}, round {len(duel.rounds) + 1}"
            duel.rounds.append((self._trial(pair[0], job, what), self._trial(pair[1], job, what)))
        self._fighting = None
        return bool(duel.rounds)

    def _trial(self, settings: EngineSettings, job: Job, what: str) -> Trial:
        self._tell(what, max(self._deadline - self._clock(), 0.0))
        trial = self._measure(settings, job)
        self._book.add(trial)
        return trial

    def _compare(self, setting: str, use: str, incumbent: EngineSettings, challenger: EngineSettings) -> Compared:
        duel = self._duels[frozenset((incumbent, challenger))]
        large = setting == BATCH_TOKENS and challenger.batch_tokens > FIELDS[BATCH_TOKENS].default and use != BATCH
        exact = challenger.kv_type == incumbent.kv_type
        ratios = []
        for left, right in duel.trials(incumbent):
            before, after = self._book.pair(left, right)
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

    def _confirm(self) -> None:
        """Measure winners against the default itself again; one that does not win there is dropped.

        Of many values that make no difference one wins by chance now and then, and what won looks better than it is.
        New rounds know nothing of that: they decide, and their ratio is the one that is told.
        """
        default, won = self._space.default, dict[EngineSettings, list[str]]()
        for use in USES:
            if self._best[use] != default:
                won.setdefault(self._best[use], []).append(use)
        for winner, uses in won.items():
            changed = [name for name in ORDER if getattr(default, name) != getattr(winner, name)]
            setting = changed[0] if len(changed) == 1 else CONFIRM
            what = in_words(setting, getattr(winner, setting)) if len(changed) == 1 else "all faster settings"
            self._duels[frozenset((default, winner))] = _Duel(default, winner)
            try:
                self._duel(setting, default, winner, uses, _CONFIRM_ROUNDS)
            except EngineError as error:  # settings that fail now and then do not win
                self._skipped.append(f"{what}, again: {error.message}")
                self._best |= dict.fromkeys(uses, default)
                continue
            compared = [self._compare(setting, use, default, winner) for use in uses]
            self._steps.append(SearchStep(setting, f"{what}, again", default, winner, tuple(compared)))
            self._best |= {one.use: default for one in compared if one.verdict != WON}

    def _rounds(self, default: EngineSettings, winner: EngineSettings) -> list[tuple[Trial, Trial]]:
        duel = self._duels.get(frozenset((default, winner)))
        return duel.trials(default) if duel else []

    def _result(self, use: str) -> UseResult:
        default, winner = self._space.default, self._best[use]
        profile = self._profiles[use]
        if winner == default:
            known = self._book.times_of_own(default)
            cost = profile.cost_ms(self._book.times(default)) if known.prefill_ms is not None else None
            return UseResult(use, default, default, cost, cost)
        rounds = [self._book.pair(left, right) for left, right in self._rounds(default, winner)]
        if not rounds:
            before, after = (profile.cost_ms(self._book.times(one)) for one in (default, winner))
            return UseResult(use, default, winner, before, after, before / after, None, None)
        costs = [(profile.cost_ms(left), profile.cost_ms(right)) for left, right in rounds]
        found = interval([left / right for left, right in costs])
        before, after = (statistics.fmean(side) for side in zip(*costs, strict=True))
        return UseResult(use, default, winner, before, after, found.estimate, found.low, found.high)

    def _round_s(self, duel: _Duel, job: Job) -> float:
        """Seconds that the next round will take, from what is known; in the first one an engine has to be started."""
        seconds = 0.0
        for settings in (duel.first, duel.second):
            times = self._book.times(settings)
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
