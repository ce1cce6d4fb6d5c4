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
from phicli.fit.quality import answer_tps, grade, kv_loss, quantisation_loss
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
_READ_S: Final = 60.0
"""Seconds that a document may take to be read before it counts as waiting."""

_SPLIT_POINTS: Final = 1.5
"""For a model that is shared between a GPU and the processor: transfers, and a memory of two that is full."""

_SIZE_POINTS: Final = 0.9
_SMALL_FILE_BYTES: Final = 2e9
_TIGHT_POINTS: Final = 6.0
_TIGHT_SHARE: Final = 0.8
_UNUSUAL_POINTS: Final = 3.0
_HERE_POINTS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Worth:
    """The worth of a candidate in points, and what it is made of: ``quality`` less the costs.

    ``quality`` is that of the model, ``loss`` what its quantizations cost. ``here`` is what counts for a file that is
    on this machine already.
    """

    quality: float
    loss: float
    wait: float
    size: float
    tight: float
    split: float
    unusual: float
    here: float

    @property
    def points(self) -> float:
        """The sum."""
        return self.quality - self.loss - self.wait - self.size - self.tight - self.split - self.unusual + self.here


def useful_tps(assessment: Assessment, task: Task) -> float:
    """Tokens of the answer per second as the task is used: long documents with the context filled."""
    speed = assessment.speed
    decode = speed.decode_at_context_tps if task.context_required else speed.decode_tps
    return answer_tps(decode, assessment.candidate.variant, task)


def worth(one: Assessment, task: Task, *, target_tps: float, step: float) -> Worth:
    """What ``one`` is worth for ``task``.

    Args:
        one: the candidate where it was placed.
        task: what for.
        target_tps: tokens per second that people want; at that speed waiting costs some five points.
        step: as :func:`step_of` gives it.
    """
    weights = one.candidate.shape.weights_bytes
    waiting = _waiting(_COMFORT * target_tps / max(useful_tps(one, task), 1e-3))
    if task.context_required:
        waiting += _waiting(one.speed.context_s / _READ_S)
    over = max(one.memory_share - _TIGHT_SHARE, 0.0) / (1 - _TIGHT_SHARE)
    loss = quantisation_loss(one.candidate.quant) + kv_loss(one.kv_type)
    return Worth(
        quality=(one.quality + loss) * STEP_POINTS / step,
        loss=loss,
        wait=waiting,
        size=_SIZE_POINTS * max(math.log2(weights / _SMALL_FILE_BYTES), 0.0),
        tight=_TIGHT_POINTS * over**2,
        split=_SPLIT_POINTS if 0 < one.gpu_layers <= one.candidate.shape.layers else 0.0,
        unusual=0.0 if one.candidate.quant in USUAL else _UNUSUAL_POINTS,
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
