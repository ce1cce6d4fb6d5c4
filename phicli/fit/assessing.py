"""Where a candidate runs best on a machine: every place, cache and context that fits is weighed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phicli.catalog.types import Catalog
from phicli.fit.contexts import LONG, contexts, is_sensible, planned_context
from phicli.fit.memory import takes_kv_type
from phicli.fit.placement import Placement, gpu_budget_bytes, places
from phicli.fit.quality import Grade, grade, kv_loss, quantisation_loss
from phicli.fit.ranking import Ranking
from phicli.fit.types import Assessment, Candidate, Request, Speed
from phicli.hardware.types import Machine

SpeedOf = Callable[[Candidate, Placement], Speed]
"""How fast a candidate is where it was placed."""

GPU_SHARE: Final = 0.8
"""Of what may be planned with on the GPUs: a context that is longer than the usual one fills no more."""

_UNKNOWN: Final = Grade(0.0, "")


@dataclass(frozen=True, slots=True)
class Assessing:
    """What candidates are judged with: the catalog's scores, the machine, the wishes, how to compare, the speed."""

    book: Catalog
    machine: Machine
    request: Request
    ranking: Ranking
    speed_of: SpeedOf

    def best_place(self, candidate: Candidate) -> Assessment | None:
        """``candidate`` in the place where it is worth most; None where it fits nowhere.

        Where a minimum of speed was asked for, places that reach it come first.
        """
        graded = grade(candidate.variant, self.ranking.task, self.book.variants) or _UNKNOWN
        fitting = [self._assess(candidate, placed, graded) for placed in self.tried(candidate) if placed.fits]
        sensible = [one for one, may in fitting if may]
        quick = [one for one in sensible if self.is_quick(one)]
        return self._best(quick or sensible)

    def _best(self, placed: Sequence[Assessment]) -> Assessment | None:
        """The one of ``placed``, all of one file, that is worth most; sharing counts by what it gains."""
        alone = self.ranking.best(one for one in placed if not one.gpu_layers)
        if alone is not None:
            least = self.ranking.worth(alone).points
            placed = [self._gaining(one, least) if one.is_split else one for one in placed]
        return self.ranking.best(one for one in placed if one.split_gain > 0)

    def _gaining(self, one: Assessment, points: float) -> Assessment:
        worth = self.ranking.worth(one)
        return replace(one, split_gain=worth.points + worth.split - points)

    def tried(self, candidate: Candidate) -> tuple[Placement, ...]:
        """Every placement of ``candidate``, also where nothing fits."""
        kv_types = (self.request.kv_type,) if self.request.kv_type else ("f16", "q8_0")
        possible = [name for name in kv_types if takes_kv_type(candidate.shape, name)]
        wanted = contexts(candidate.variant, self.request, self.ranking.task)
        return tuple(
            placed
            for tokens in wanted
            for kv_type in possible or ["f16"]
            for placed in places(candidate.shape, self.machine, tokens, kv_type)
        )

    def roomier(self, one: Assessment) -> Assessment:
        """``one`` with the longest usual context that leaves a fifth of the GPU free, where all of it is on a GPU.

        The command names the context, and a conversation cannot outgrow that. A context that was asked for, and that
        of a document, stay as they are.
        """
        shape, variant, chosen = one.candidate.shape, one.candidate.variant, None
        if self.request.context_tokens is not None or self.ranking.task.context_required:
            return one
        tokens = 2 * one.context_tokens
        while shape.layers < one.gpu_layers and tokens <= min(variant.context_tokens, LONG):
            placed = places(shape, self.machine, tokens, one.kv_type)[0]
            share = max(placed.memory.gpu_bytes / gpu_budget_bytes(self.machine.gpus), placed.memory_share)
            if placed.gpu_layers < one.gpu_layers or share > GPU_SHARE:
                break
            chosen, tokens = placed, 2 * tokens
        return one if chosen is None else self.at(one.candidate, chosen)

    def is_quick(self, one: Assessment) -> bool:
        """Whether ``one`` reaches the speed that was asked for, if any was."""
        return self.request.min_tps is None or self.ranking.tps(one) >= self.request.min_tps

    def at(self, candidate: Candidate, placed: Placement) -> Assessment:
        """``candidate`` where it was ``placed``."""
        return self._assess(candidate, placed, grade(candidate.variant, self.ranking.task, self.book.variants))[0]

    def _with(self, candidate: Candidate, placed: Placement, tokens: int) -> Placement:
        """``placed`` with a context of ``tokens``: with fewer layers on the GPU where that holds no more beside it."""
        longer = places(candidate.shape, self.machine, tokens, placed.kv_type)[0]
        if longer.fits and longer.gpu_layers < placed.gpu_layers:
            return longer
        return replace(placed, context_tokens=tokens)

    def _assess(self, candidate: Candidate, placed: Placement, graded: Grade | None) -> tuple[Assessment, bool]:
        """``candidate`` where it was ``placed``, and whether that context makes sense there."""
        request, task = self.request, self.ranking.task
        graded = graded or _UNKNOWN
        wanted = planned_context(candidate.variant, request, task)
        speed = self.speed_of(candidate, placed)
        at_wanted = None
        if task.context_required and placed.context_tokens != wanted:
            at_wanted = self.speed_of(candidate, self._with(candidate, placed, wanted))
        one = Assessment(
            candidate=candidate,
            context_tokens=placed.context_tokens,
            kv_type=placed.kv_type,
            memory=placed.memory,
            speed=speed,
            quality=graded.points - quantisation_loss(candidate.quant) - kv_loss(placed.kv_type),
            gpu_layers=placed.gpu_layers,
            memory_share=placed.memory_share,
            published=graded.published,
            wanted_tokens=wanted,
            wanted_speed=at_wanted,
        )
        return one, is_sensible(placed, speed, request, task)
