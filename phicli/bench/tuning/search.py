"""The search itself: which duels of settings are fought, in which order, and what follows from them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from phicli.bench.tuning.costs import Profile, profiles
from phicli.bench.tuning.duels import Duels, OnStep
from phicli.bench.tuning.jobs import CONFIRM
from phicli.bench.tuning.space import BATCH_TOKENS, ORDER, Space, in_words
from phicli.bench.tuning.types import Job, Measure, SearchOutcome, SearchStep, UseResult
from phicli.bench.tuning.verdict import LOST, OPEN, WON, interval
from phicli.engine.settings import EngineSettings
from phicli.errors import EngineError
from phicli.records.tuned import CONVERSATION, USES

_CONFIRM_ROUNDS: Final = 3
_LEAD: Final = (CONVERSATION, *(use for use in USES if use != CONVERSATION))
"""The use whose settings a value is tried with first."""


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
        self._space, self._clock = space, clock
        self._profiles: Mapping[str, Profile] = profiles(reasoning=reasoning)
        self._best = dict.fromkeys(USES, space.default)
        self._steps: list[SearchStep] = []
        self._skipped: list[str] = []
        self._began = clock()
        self._duels = Duels(
            measure, self._profiles, deadline=self._began + budget_s, clock=clock, on_step=on_step or (lambda *_: None)
        )

    def run(self) -> SearchOutcome:
        """Search to the end.

        Raises:
            EngineError: the engine failed with the current settings; with others it only rules them out.
            KeyboardInterrupt: then :meth:`outcome` says what was found so far.
        """
        for setting in ORDER:
            for value in self._space.values.get(setting, ()):
                self._try(setting, value)
            if not self._duels.book.trials:  # repacking is not for this file, or not for this memory
                for settings in dict.fromkeys(self._best.values()):
                    self._duels.trial(settings, Job(fresh=True), "the current settings")
        self._confirm()
        return self.outcome()

    def outcome(self, *, complete: bool = True) -> SearchOutcome:
        """What was found so far."""
        results = {use: self._result(use) for use in USES}
        elapsed = self._clock() - self._began
        skipped = tuple(dict.fromkeys(self._skipped))
        steps = (*self._steps, *(() if complete else self._duels.unfinished()))
        return SearchOutcome(results, steps, self._duels.book.trials, skipped, elapsed, complete)

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
                fought = self._duels.fight(setting, incumbent, challenger, uses)
            except EngineError as error:
                if not self._duels.book.knows(incumbent):
                    raise
                self._skipped.append(f"{in_words(setting, value)}: {error.message}")
                continue
            if not fought:
                self._skipped.append(f"{in_words(setting, value)}: out of time")
                return
            compared = [self._duels.compare(setting, use, incumbent, challenger) for use in uses]
            self._steps.append(SearchStep(setting, in_words(setting, value), incumbent, challenger, tuple(compared)))
            self._best |= {one.use: challenger for one in compared if one.verdict == WON}
            if any(one.verdict == OPEN for one in compared):
                self._skipped.append(f"{in_words(setting, value)}: undecided: out of time")
            others = [use for use in USES if use not in uses]
            lost |= {use for use in others if self._duels.compare(setting, use, incumbent, challenger).verdict == LOST}

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
            self._duels.forget(default, winner)
            try:
                self._duels.fight(setting, default, winner, uses, _CONFIRM_ROUNDS)
            except EngineError as error:  # settings that fail now and then do not win
                self._skipped.append(f"{what}, again: {error.message}")
                self._best |= dict.fromkeys(uses, default)
                continue
            compared = [self._duels.compare(setting, use, default, winner) for use in uses]
            self._steps.append(SearchStep(setting, f"{what}, again", default, winner, tuple(compared)))
            self._best |= {one.use: default for one in compared if one.verdict != WON}

    def _result(self, use: str) -> UseResult:
        default, winner = self._space.default, self._best[use]
        profile = self._profiles[use]
        if winner == default:
            known = self._duels.book.times_of_own(default)
            cost = profile.cost_ms(self._duels.book.times(default)) if known.prefill_ms is not None else None
            return UseResult(use, default, default, cost, cost)
        rounds = [self._duels.book.pair(left, right) for left, right in self._duels.rounds(default, winner)]
        if not rounds:
            before, after = (profile.cost_ms(self._duels.book.times(one)) for one in (default, winner))
            return UseResult(use, default, winner, before, after, before / after, None, None)
        costs = [(profile.cost_ms(left), profile.cost_ms(right)) for left, right in rounds]
        found = interval([left / right for left, right in costs])
        before, after = (statistics.fmean(side) for side in zip(*costs, strict=True))
        return UseResult(use, default, winner, before, after, found.estimate, found.low, found.high)
