"""The speed of a model as ``phi chat`` would really run it: with the settings that tuning found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from phicli.fit.assessing import SpeedOf
from phicli.fit.placement import Placement
from phicli.fit.types import Candidate, Speed
from phicli.records.tuned import CONVERSATION, Tuned

_SAME_FILE: Final = 0.01


def as_tuned(with_threads: Callable[[int | None], SpeedOf], tuned: Sequence[Tuned]) -> SpeedOf:
    """A speed model that looks at each file with its own settings for a conversation.

    Args:
        with_threads: makes the speed model for a number of threads; None is the default.
        tuned: what holds on the machine, the newest first. What runs on a GPU is not among it.
    """
    of = cache(with_threads)

    def speed(candidate: Candidate, placement: Placement) -> Speed:
        found = next((one for one in tuned if _is_of(one, candidate)), None)
        if found is None or placement.gpu_layers:
            return of(None)(candidate, placement)
        settings = found.winners[CONVERSATION].settings
        repacked = candidate.shape.repackable_bytes if settings.repack else 0
        placement = replace(placement, memory=replace(placement.memory, repack_bytes=repacked))
        return of(settings.threads)(candidate, placement)

    return speed


def _is_of(one: Tuned, candidate: Candidate) -> bool:
    size = candidate.shape.weights_bytes
    same = (one.variant_id, one.quant) == (candidate.variant.id, candidate.quant)
    return same and abs(one.weights_bytes - size) <= _SAME_FILE * size
