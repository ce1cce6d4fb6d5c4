"""Which of the candidates is taken, which is faster and which smarter: the one that is worth most in its role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phicli.fit.quality import quantisation_loss
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment
from phicli.fit.worth import USUAL, Worth, useful_tps, worth

TIE_POINTS: Final = 1.0
"""Less than this nobody notices: it is what Q4_K_M costs."""

SPOILT_POINTS: Final = 5.0
"""A quantization that costs as much is the last resort."""

_EASE: Final = 2.5
_FASTER: Final = 1.5
_FASTER_MAY_COST_POINTS: Final = 25.0
_SMARTER_POINTS: Final = 2.0
_SMARTER_SPEED_SHARE: Final = 0.25
_PATIENCE: Final = 0.5
"""Of the target speed: what people who want the smarter one are content with."""

_LOSSY_POINTS: Final = 2.5


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

    def best(self, candidates: Sequence[Assessment]) -> Assessment | None:
        """The one that is worth most; None when there are none. The smaller one wins a tie."""
        return min(candidates, key=lambda one: (-round(self.worth(one).points, 3), *_smallest(one)), default=None)

    def faster(self, best: Assessment, candidates: Iterable[Assessment]) -> Assessment | None:
        """One that answers at least half as fast again and is still of use; None when there is none.

        Where ``best`` is fast enough for anybody, another quantization of it is not worth a mention.
        """
        at_ease = self.tps(best) >= _EASE * self.target_tps
        least = _FASTER * self.tps(best)
        in_a_hurry = replace(self, target_tps=max(self.target_tps, least))
        return in_a_hurry.best(
            [
                one
                for one in _usual(candidates)
                if self.tps(one) >= least
                and one.quality >= best.quality - _FASTER_MAY_COST_POINTS
                and quantisation_loss(one.candidate.quant) < _LOSSY_POINTS
                and not (at_ease and one.candidate.variant.id == best.candidate.variant.id)
            ]
        )

    def smarter(self, best: Assessment, candidates: Iterable[Assessment]) -> Assessment | None:
        """Another that is clearly better, at a quarter of the target speed or faster; None when there is none."""
        patient = replace(self, target_tps=self.target_tps * _PATIENCE)
        return patient.best(
            [
                one
                for one in _usual(candidates)
                if one.candidate.variant.id != best.candidate.variant.id
                and one.quality >= best.quality + _SMARTER_POINTS
                and self.tps(one) >= _SMARTER_SPEED_SHARE * self.target_tps
            ]
        )

    def ordered(self, candidates: Iterable[Assessment]) -> tuple[Assessment, ...]:
        """The most worth first; the same order every time."""
        return tuple(sorted(candidates, key=lambda one: (-round(self.worth(one).points, 3), *_smallest(one))))


def _usual(candidates: Iterable[Assessment]) -> list[Assessment]:
    """Of each variant the usual quantizations, or all where it has none of those: nobody is advised an odd one."""
    listed = list(candidates)
    with_usual = {one.candidate.variant.id for one in listed if one.candidate.quant in USUAL}
    return [one for one in listed if one.candidate.quant in USUAL or one.candidate.variant.id not in with_usual]


def _smallest(one: Assessment) -> tuple[int, float, str, str]:
    candidate = one.candidate
    return (candidate.shape.weights_bytes, -one.speed.decode_tps, candidate.variant.id, candidate.quant)
