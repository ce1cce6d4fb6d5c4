"""Which of the candidates is taken, which is faster and which smarter: the one that is worth most in its role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from phicli.fit.quality import SPOILT_POINTS, quantisation_loss
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment
from phicli.fit.worth import USUAL, Worth, pace, useful_tps, worth

_EASE: Final = 2.5
_FASTER: Final = 1.5
_FASTER_MAY_COST_POINTS: Final = 25.0
_SMARTER_POINTS: Final = 2.0
_SMARTER_SPEED_SHARE: Final = 0.25
_SMALL_GAIN: Final = 0.5
"""In steps: a gain that is smaller has to come at half the target speed."""

_PATIENCE: Final = 0.5
"""Of the target speed, and of what a large file costs: what people who want the smarter one are content with."""

_LOSSY_POINTS: Final = 2.5
ROOM_SHARE: Final = 0.9
"""Of the usable memory: nobody is advised to fill more for the second choice."""

_USUAL_QUANT: Final = "Q4_K_M"


@dataclass(frozen=True, slots=True)
class Ranking:
    """How candidates are compared: for ``task``, with a target speed, and ``step`` as ``step_of`` gives it."""

    task: Task
    target_tps: float
    step: float

    def worth(self, one: Assessment) -> Worth:
        """What ``one`` is worth."""
        return worth(one, self.task, target_tps=self.target_tps, step=self.step)

    def tps(self, one: Assessment) -> float:
        """Tokens of the answer per second."""
        return useful_tps(one, self.task)

    def pace(self, one: Assessment) -> float:
        """The same, made comparable."""
        return pace(one, self.task)

    def best(self, candidates: Iterable[Assessment]) -> Assessment | None:
        """The one that is worth most; None when there are none. The smaller one wins a tie."""
        return min(
            self._settled(list(candidates)),
            key=lambda one: (-round(self.worth(one).points, 3), *_smallest(one)),
            default=None,
        )

    def faster(self, best: Assessment, candidates: Iterable[Assessment]) -> Assessment | None:
        """One that answers at least half as fast again, has no larger file and is still of use.

        None when there is none, and where ``best`` is fast enough for anybody.
        """
        if self.pace(best) >= _EASE * self.target_tps:
            return None
        least = _FASTER * self.pace(best)
        in_a_hurry = replace(self, target_tps=max(self.target_tps, least))
        return in_a_hurry.best(
            one
            for one in _advisable(candidates)
            if self.pace(one) >= least
            and one.quality >= best.quality - _FASTER_MAY_COST_POINTS
            and one.candidate.shape.weights_bytes <= best.candidate.shape.weights_bytes
        )

    def smarter(self, best: Assessment, candidates: Iterable[Assessment]) -> Assessment | None:
        """Another that is clearly better; None when there is none.

        It is at a quarter of the target speed or faster, and at half of it where it is not better by half a step. It is
        better by more than half of what its larger file costs.
        """
        patient = replace(self, target_tps=self.target_tps * _PATIENCE)

        def least(gain: float) -> float:
            return self.target_tps * (_SMARTER_SPEED_SHARE if gain >= _SMALL_GAIN * self.step else _PATIENCE)

        return patient.best(
            one
            for one in _advisable(candidates)
            if one.candidate.variant.id != best.candidate.variant.id
            and one.quality >= best.quality + _SMARTER_POINTS
            and self.pace(one) >= least(one.quality - best.quality)
            and self._is_worth_its_size(one, best)
        )

    def _is_worth_its_size(self, one: Assessment, best: Assessment) -> bool:
        """Whether ``one`` is better than ``best`` by more than half of what its file costs more."""
        mine, other = self.worth(one), self.worth(best)
        return (mine.quality - mine.loss) - (other.quality - other.loss) > _PATIENCE * (mine.size - other.size)

    def _settled(self, candidates: list[Assessment]) -> list[Assessment]:
        """``candidates`` without files that are below the target and finer than the usual one of the same model."""
        usual = {one.candidate.variant.id: one for one in candidates if one.candidate.quant == _USUAL_QUANT}

        def is_finer(one: Assessment) -> bool:
            other = usual.get(one.candidate.variant.id)
            return other is not None and one.candidate.shape.weights_bytes > other.candidate.shape.weights_bytes

        return [
            one
            for one in candidates
            if one.candidate.installed or self.pace(one) >= self.target_tps or not is_finer(one)
        ]

    def ordered(self, candidates: Iterable[Assessment]) -> tuple[Assessment, ...]:
        """The most worth first, and the ruined ones last; the same order every time."""

        def place(one: Assessment) -> tuple[bool, float, int, float, str, str]:
            ruined = quantisation_loss(one.candidate.quant) >= SPOILT_POINTS
            return ruined, -round(self.worth(one).points, 3), *_smallest(one)

        return tuple(sorted(candidates, key=place))


def sound(candidates: Sequence[Assessment]) -> list[Assessment]:
    """Those whose quantization does not ruin the model."""
    return [one for one in candidates if quantisation_loss(one.candidate.quant) < SPOILT_POINTS]


def least_spoilt(candidates: Sequence[Assessment]) -> list[Assessment]:
    """Those that are sound, and the ruined ones that are better all the same than every sound one."""
    most = max((one.quality for one in sound(candidates)), default=-inf)
    return [one for one in candidates if one.quality > most or quantisation_loss(one.candidate.quant) < SPOILT_POINTS]


def _advisable(candidates: Iterable[Assessment]) -> list[Assessment]:
    """Those that leave room in memory and lose little.

    Of each variant the usual quantizations, or all where it has none of those: nobody is advised an odd one.
    """
    listed = list(candidates)
    with_usual = {one.candidate.variant.id for one in listed if one.candidate.quant in USUAL}
    return [
        one
        for one in listed
        if (one.candidate.quant in USUAL or one.candidate.variant.id not in with_usual)
        and one.memory_share <= ROOM_SHARE
        and quantisation_loss(one.candidate.quant) < _LOSSY_POINTS
    ]


def _smallest(one: Assessment) -> tuple[int, float, str, str]:
    candidate = one.candidate
    return (candidate.shape.weights_bytes, -one.speed.decode_tps, candidate.variant.id, candidate.quant)
