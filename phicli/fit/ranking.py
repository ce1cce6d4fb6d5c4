"""Which of the candidates that pass every gate is taken, which is faster and which smarter.

Fullness is not a merit, and speed is one only up to two and a half times the task's floor: beyond that nobody waits.
Within a point of quality the faster is taken where it is so by an eighth; within a quarter of a point the smaller one.
A file of twice the size has to be better by three points, or the small one is taken: "start small", as the selection
guide says. A quantization that costs five points or more is taken only where nothing sound reaches half the floor, and
one that is not among the usual four only where none of those comes near the floor for the same model: an estimate that
misses it by a quarter is not a reason to spoil a model. What is here already wins a tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from phicli.fit.quality import answer_tps, quantisation_loss
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment

TIE_POINTS: Final = 1.0
"""Less than this nobody notices: it is what Q4_K_M costs."""

_SAME_POINTS: Final = 0.25
_LARGER: Final = 2
_WORTH_POINTS: Final = 3.0
_COMFORT: Final = 2.5
_NOTICED: Final = 1.125
_FASTER: Final = 1.5
_FASTER_MAY_COST_POINTS: Final = 25.0
_SMARTER_POINTS: Final = 2.0
_SMARTER_SPEED_SHARE: Final = 0.25
_LOSSY_POINTS: Final = 2.5
SPOILT_POINTS: Final = 5.0
"""A quantization that costs as much is the last resort."""

NEARLY: Final = 0.75
"""Of the floor: as far as an estimate may be off."""

_USUAL: Final = frozenset({"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"})
"""Those that most people run and most bugs were found in; the sizes between them make no difference to speak of."""


def useful_tps(assessment: Assessment, task: Task) -> float:
    """Tokens of the answer per second as the task is used: long documents with the context filled."""
    speed = assessment.speed
    decode = speed.decode_at_context_tps if task.context_required else speed.decode_tps
    return answer_tps(decode, assessment.candidate.variant, task)


def best_of(passing: Sequence[Assessment], task: Task, floor_tps: float) -> Assessment | None:
    """The best of ``passing``, by quality, then speed, then size; None when it is empty."""
    if not passing:
        return None
    passing = _usual(passing)
    comfort = _COMFORT * floor_tps
    best = _best_near(passing, task, comfort)
    while True:
        small = [
            one
            for one in passing
            if one.candidate.shape.weights_bytes * _LARGER <= best.candidate.shape.weights_bytes
            and one.quality > best.quality - _WORTH_POINTS
            and min(useful_tps(one, task), comfort) >= min(useful_tps(best, task), comfort)
        ]
        if not small:
            return best
        best = _best_near(small, task, comfort)


def _best_near(passing: Sequence[Assessment], task: Task, comfort_tps: float) -> Assessment:
    """The fastest of those near the highest quality, then the finest, then the smallest."""
    top = max(one.quality for one in passing)
    near = [one for one in passing if one.quality > top - TIE_POINTS]
    near = [one for one in near if one.candidate.installed] or near
    quickest = max(min(useful_tps(one, task), comfort_tps) for one in near)
    quick = [one for one in near if min(useful_tps(one, task), comfort_tps) * _NOTICED >= quickest]
    finest = max(one.quality for one in quick)
    return min((one for one in quick if one.quality > finest - _SAME_POINTS), key=_smallest)


def choose(assessed: Sequence[Assessment], task: Task, floor_tps: float, *, strict: bool = False) -> Assessment | None:
    """The one to take of ``assessed``; with ``strict`` nothing below the floor, None when nothing is left."""
    passing = [one for one in assessed if useful_tps(one, task) >= floor_tps]
    sound = [one for one in passing if quantisation_loss(one.candidate.quant) < SPOILT_POINTS]
    best = best_of(sound, task, floor_tps)
    if strict:
        return best or best_of(passing, task, floor_tps)
    if best is not None:
        return _in_usual_quant(best, assessed, task, floor_tps)
    slow = [one for one in assessed if useful_tps(one, task) < floor_tps]
    nearest = best_of_slow(slow, task)
    if passing and (nearest is None or useful_tps(nearest, task) < floor_tps / 2):
        return best_of(passing, task, floor_tps)
    return nearest


def _in_usual_quant(best: Assessment, assessed: Sequence[Assessment], task: Task, floor_tps: float) -> Assessment:
    """The model of ``best`` in a usual quantization that nearly reaches the floor, else ``best`` itself.

    Where the floor is lowered for one it is so for all that are as fast.
    """
    if best.candidate.quant in _USUAL:
        return best
    usual = [one for one in assessed if one.candidate.quant in _USUAL and useful_tps(one, task) >= NEARLY * floor_tps]
    same = [useful_tps(one, task) for one in usual if one.candidate.variant.id == best.candidate.variant.id]
    as_fast = [one for one in usual if same and useful_tps(one, task) * _NOTICED >= max(same)]
    return best_of(as_fast, task, floor_tps) or best


def best_of_slow(slow: Sequence[Assessment], task: Task) -> Assessment | None:
    """What to take where nothing reaches the floor: the fastest that is not spoilt by its quantization."""
    sound = [one for one in slow if quantisation_loss(one.candidate.quant) < _LOSSY_POINTS] or list(slow)
    if not sound:
        return None
    quickest = max(useful_tps(one, task) for one in sound)
    return best_of([one for one in sound if useful_tps(one, task) > quickest / _FASTER], task, quickest)


def faster_than(best: Assessment, passing: Iterable[Assessment], task: Task, floor_tps: float) -> Assessment | None:
    """One that answers at least half as fast again and is still of use; None when there is none.

    Where the best is fast enough for anybody, another quantization of it is not worth a mention.
    """
    least = _FASTER * useful_tps(best, task)
    passing = _usual(list(passing))  # an odd quantization that is only just faster is not worth a pick
    at_ease = useful_tps(best, task) >= _COMFORT * floor_tps
    quick = [
        one
        for one in passing
        if useful_tps(one, task) >= least
        and one.quality >= best.quality - _FASTER_MAY_COST_POINTS
        and quantisation_loss(one.candidate.quant) < _LOSSY_POINTS
        and not (at_ease and one.candidate.variant.id == best.candidate.variant.id)
    ]
    return best_of(quick, task, least)


def smarter_than(best: Assessment, slower: Iterable[Assessment], task: Task, floor_tps: float) -> Assessment | None:
    """Another that is better by more than anyone would call equal, at a quarter of the floor or faster; else None."""
    least = max(_SMARTER_SPEED_SHARE * floor_tps, 0.0)
    others = [one for one in _usual(list(slower)) if one.candidate.variant.id != best.candidate.variant.id]
    clever = [one for one in others if one.quality >= best.quality + _SMARTER_POINTS and useful_tps(one, task) >= least]
    return best_of(clever, task, floor_tps)


def ordered(assessments: Iterable[Assessment], task: Task) -> tuple[Assessment, ...]:
    """By quality, then speed, then name: an order that is always the same."""
    return tuple(
        sorted(assessments, key=lambda one: (-round(one.quality, 3), -round(useful_tps(one, task), 3), _smallest(one)))
    )


def _usual(assessments: Sequence[Assessment]) -> list[Assessment]:
    """Of each variant the usual quantizations, or all where it has none of those."""
    with_usual = {one.candidate.variant.id for one in assessments if one.candidate.quant in _USUAL}
    return [one for one in assessments if one.candidate.quant in _USUAL or one.candidate.variant.id not in with_usual]


def _smallest(one: Assessment) -> tuple[int, float, str, str]:
    candidate = one.candidate
    return (candidate.shape.weights_bytes, -one.speed.decode_tps, candidate.variant.id, candidate.quant)
