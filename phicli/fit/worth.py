"""What a candidate is worth: its quality less what it costs to wait for it, to download it and to fit it in.

All costs are continuous, so that a small error of an estimate never turns the choice around, and all are in points of
one scale. Benchmarks differ in how far they spread the family, so quality counts in steps: the step from the best
model of the 4B class to the best of the 14B class is :data:`STEP_POINTS`, whatever the benchmark. The constants are
choices; the tests of ``tests/cli/test_recommend_advice.py`` say what they were made for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phicli.catalog.types import Variant
from phicli.fit.quality import answer_tps, grade, kv_loss, quantisation_loss, thoughts_length
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment

STEP_POINTS: Final = 12.0
"""Worth of the step from 4B to 14B parameters."""

_SMALL: Final = 6e9
_LARGE: Final = 2e10
"""Parameters: the 4B class is below the first, the 14B class between both."""

USUAL: Final = frozenset({"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"})
"""Those that most people run and most bugs were found in."""

_COMFORT: Final = 2.5
"""Times the target: beyond that nobody waits."""

_WAIT_POINTS: Final = 4.0
_BELOW_POINTS: Final = 1.2
"""More for each halving below the target: what somebody reads should not be waited for."""

_READ_S: Final = 60.0
"""Seconds that a document may take to be read before it counts as waiting."""

SPLIT_POINTS: Final = 4.0
"""For a model that is shared between a GPU and the processor: transfers, and a memory of two that is full. It costs no
more than it is better than the processor alone: a GPU never makes a model worth less."""

_SIZE_POINTS: Final = 0.9
_SMALL_FILE_BYTES: Final = 2e9
_GB_POINTS: Final = 0.25
_LARGE_FILE_BYTES: Final = 1.25e10
"""What a 14B model takes in Q6_K. Beyond that every GB costs :data:`_GB_POINTS`: to download, and in memory."""

_SHORT_POINTS: Final = 6.0
"""For each halving of the context that the task needs: more than a memory that is full."""

_THOUGHTS_POINTS: Final = 1.0
"""The same for the room that thoughts would like to have beyond that."""

_TIGHT_POINTS: Final = 6.0
_TIGHT_SHARE: Final = 0.8
_UNUSUAL_POINTS: Final = 3.0
_UNUSUAL_CACHE_POINTS: Final = 0.85
_HERE_POINTS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Worth:
    """The worth of a candidate in points, and what it is made of: ``quality`` less the costs.

    ``quality`` is that of the model, ``loss`` what its quantizations cost, ``short`` a context that is shorter than
    wanted. ``here`` is what counts for a file that is on this machine already.
    """

    quality: float
    loss: float
    wait: float
    size: float
    tight: float
    split: float
    unusual: float
    short: float
    here: float

    @property
    def costs(self) -> dict[str, float]:
        """What is taken off the quality, by name."""
        return {name: getattr(self, name) for name in ("loss", "wait", "size", "tight", "split", "unusual", "short")}

    @property
    def points(self) -> float:
        """The sum."""
        return self.quality - sum(self.costs.values()) + self.here


def useful_tps(assessment: Assessment, task: Task) -> float:
    """Tokens of the answer per second as the task is used: long documents with the context filled."""
    speed = assessment.speed
    decode = speed.decode_at_context_tps if task.context_required else speed.decode_tps
    return answer_tps(decode, assessment.candidate.variant, task)


def pace(one: Assessment, task: Task) -> float:
    """The same to compare candidates by: with the context that is wanted, so that a shorter one is not faster, and
    less where thoughts that are wanted are longer than those of others.
    """
    speed = one.wanted_speed or one.speed
    decode = speed.decode_at_context_tps if task.context_required else speed.decode_tps
    variant = one.candidate.variant
    return answer_tps(decode, variant, task) / thoughts_length(variant, task)


def worth(one: Assessment, task: Task, *, target_tps: float, step: float) -> Worth:
    """What ``one`` is worth for ``task``.

    Args:
        one: the candidate where it was placed.
        task: what for.
        target_tps: tokens per second that people want; at that speed waiting costs 6.6 points, and 9.2 more for
            each halving below it.
        step: as :func:`step_of` gives it.
    """
    weights = one.candidate.shape.weights_bytes
    tps = max(pace(one, task), 1e-3)
    waiting = _waiting(_COMFORT * target_tps / tps) + _BELOW_POINTS * max(math.log2(target_tps / tps), 0.0)
    if task.context_required:
        waiting += _waiting((one.wanted_speed or one.speed).context_s / _READ_S)
    over = max(one.memory_share - _TIGHT_SHARE, 0.0) / (1 - _TIGHT_SHARE)
    loss = quantisation_loss(one.candidate.quant) + kv_loss(one.kv_type)
    large = max(weights - _LARGE_FILE_BYTES, 0.0) / 1e9
    return Worth(
        quality=(one.quality + loss) * STEP_POINTS / step,
        loss=loss,
        wait=waiting,
        size=_SIZE_POINTS * max(math.log2(weights / _SMALL_FILE_BYTES), 0.0) + _GB_POINTS * large,
        tight=_TIGHT_POINTS * over**2,
        split=min(one.split_gain, SPLIT_POINTS) if one.is_split else 0.0,
        unusual=_unusual(one),
        short=_shortness(one.context_tokens, one.wanted_tokens, task.context_tokens),
        here=_HERE_POINTS if one.candidate.installed else 0.0,
    )


def step_of(task: Task, variants: Sequence[Variant]) -> float:
    """How many points of the task's scale the best model of the 14B class is above the best of the 4B class.

    :data:`STEP_POINTS` where one of them has no model that runs here and is ranked.
    """

    def best(least: float, most: float) -> float | None:
        own = (one for one in variants if one.runs_here and least <= one.parameters < most)
        able = (one for one in own if set(task.needs) & set(one.capabilities))
        points = (graded.points for one in able if (graded := grade(one, task, variants)) is not None)
        return max(points, default=None)

    small, large = best(0, _SMALL), best(_SMALL, _LARGE)
    return large - small if small is not None and large is not None and large > small else STEP_POINTS


def _waiting(times_slower: float) -> float:
    """Points that waiting costs, for a speed that is ``times_slower`` than comfort.

    A parabola in the number of halvings, and from one halving on a straight line: twice as slow costs the same again.
    """
    halvings = math.log2(max(times_slower, 1.0))
    return _WAIT_POINTS * (halvings**2 if halvings <= 1 else 2 * halvings - 1)


def _unusual(one: Assessment) -> float:
    cache = 0.0 if one.kv_type == "f16" else _UNUSUAL_CACHE_POINTS
    return cache + (0.0 if one.candidate.quant in USUAL else _UNUSUAL_POINTS)


def _shortness(planned: int, wanted: int, needed: int) -> float:
    """Points that a context of ``planned`` tokens costs where ``wanted`` would be better and ``needed`` are usual."""
    beyond = math.log2(max(wanted, planned) / max(min(needed, wanted), planned))
    below = math.log2(max(min(needed, wanted) / planned, 1.0))
    return _THOUGHTS_POINTS * beyond + _SHORT_POINTS * below
