"""The recommendation: gates first, then speed, then quality. A pure function of what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from phicli.catalog.quants import preference
from phicli.catalog.types import Catalog, Variant
from phicli.fit.memory import USUAL, largest_context_that_fits, takes_kv_type
from phicli.fit.picks import make_pick
from phicli.fit.placement import Placement, place
from phicli.fit.quality import grade, kv_loss, quantisation_loss, thinking_ratio
from phicli.fit.ranking import SPOILT_POINTS, choose, faster_than, ordered, smarter_than, useful_tps
from phicli.fit.refusals import no_capability, nothing_fits, nothing_is_fast_enough, nothing_passes
from phicli.fit.requirements import (
    SHORTEST_USEFUL_CONTEXT,
    check_request,
    engine_rejection,
    filtered,
    filters_of,
    memory_rejection,
)
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Candidate, Recommendation, Rejection, Request, Role, Speed
from phicli.hardware.types import Machine

SpeedOf = Callable[[Candidate, Placement], Speed]
"""How fast a candidate is where it was placed."""

_USUAL_QUANT: Final = "Q4_K_M"


def recommend(
    book: Catalog, candidates: Sequence[Candidate], machine: Machine, request: Request, speed_of: SpeedOf
) -> Recommendation:
    """What to take on ``machine`` for ``request``.

    Args:
        book: the catalog, for scores and for what cannot run at all.
        candidates: the files that could run.
        machine: what there is to run them on.
        request: what is wanted.
        speed_of: the speed model.

    Raises:
        UsageError: the request makes no sense, or one of its filters excludes everything.
        UnsupportedModelError: no engine here can do the task.
        DoesNotFitError: nothing fits, or nothing reaches the speed that was asked for.
    """
    task = check_request(request)
    known = {candidate.variant.id for candidate in candidates}
    out = [
        rejection
        for variant in book.variants
        if (rejection := engine_rejection(variant, has_files=variant.id in known)) is not None
    ]
    out_ids = {rejection.variant_id for rejection in out}
    able = [candidate for candidate in candidates if candidate.variant.id not in out_ids]
    able, excluded = _filter(book, able, request, task)
    fitting, too_large = _fit(able, machine, request, task)
    if not fitting:
        raise nothing_fits(machine, request, too_large, out + excluded)
    assessed = [assess(candidate, placed, book, task, speed_of) for candidate, placed in fitting]
    found = _choose(assessed, machine, request, task, out + excluded + too_large)
    remark = _with_less_context(found.picks[0].assessment, able, machine)
    if remark is None:
        return found
    best = replace(found.picks[0], reasons=(*found.picks[0].reasons, remark))
    return replace(found, picks=(best, *found.picks[1:]))


def placements(candidate: Candidate, machine: Machine, request: Request, task: Task) -> tuple[Placement, ...]:
    """The placements to try for ``candidate``, the wanted one first: a plain cache, then one of 8 bits."""
    context = planned_context(candidate.variant, request, task)
    kv_types = (request.kv_type,) if request.kv_type else ("f16", "q8_0")
    shape = candidate.shape
    possible = [kv_type for kv_type in kv_types if takes_kv_type(shape, kv_type)]
    return tuple(place(shape, machine, context, kv_type) for kv_type in possible or ["f16"])


def planned_context(variant: Variant, request: Request, task: Task) -> int:
    """The context in tokens that is planned for: what was asked for, else what the task needs and the model knows."""
    if request.context_tokens is not None:
        return request.context_tokens
    return min(task.context_tokens, variant.context_tokens)


def assess(candidate: Candidate, placed: Placement, book: Catalog, task: Task, speed_of: SpeedOf) -> Assessment:
    """All that is known of ``candidate`` where it was ``placed``."""
    graded = grade(candidate.variant, task, book.variants)
    points = graded.points if graded else 0.0
    quality = max(points - quantisation_loss(candidate.quant) - kv_loss(placed.kv_type), 0.0)
    return Assessment(
        candidate=candidate,
        context_tokens=placed.context_tokens,
        kv_type=placed.kv_type,
        memory=placed.memory,
        speed=speed_of(candidate, placed),
        quality=quality,
        gpu_layers=placed.gpu_layers,
    )


def best_quant_for(
    variant: Variant,
    book: Catalog,
    candidates: Sequence[Candidate],
    machine: Machine,
    speed_of: SpeedOf,
    request: Request | None = None,
) -> Assessment | None:
    """The file of ``variant`` to take on ``machine``; None when none fits.

    Args:
        variant: the model.
        book: the catalog.
        candidates: files that could run; those of other variants are passed over.
        machine: what there is to run it on.
        speed_of: the speed model.
        request: what is wanted; by default general use. A task that does not know the variant is allowed here.
    """
    request = request or Request()
    task = check_request(request)
    own = [candidate for candidate in candidates if candidate.variant.id == variant.id]
    fitting, _ = _fit(own, machine, request, task)
    assessed = [assess(candidate, placed, book, task, speed_of) for candidate, placed in fitting]
    floor = task.floor_tps if request.min_tps is None else request.min_tps
    return choose(assessed, task, floor)


def every_quant_of(
    variant: Variant, book: Catalog, candidates: Sequence[Candidate], machine: Machine, speed_of: SpeedOf
) -> tuple[tuple[Assessment, Rejection | None], ...]:
    """Every file of ``variant`` on ``machine`` for general use, and why it does not fit; None where it does.

    What fits comes first: what is installed, then as quantizations are usually taken, then by quality. Of the others
    the one that misses least comes first; it is placed where it misses least, and its speed is what it would be there.

    Args:
        variant: the model.
        book: the catalog.
        candidates: files that could run; those of other variants are passed over.
        machine: what there is to run it on.
        speed_of: the speed model.
    """
    request = Request()
    task = check_request(request)
    found: list[tuple[Assessment, Rejection | None]] = []
    for candidate in (one for one in candidates if one.variant.id == variant.id):
        tried = placements(candidate, machine, request, task)
        placed = next((one for one in tried if one.fits), min(tried, key=lambda one: one.missing_bytes))
        rejection = None if placed.fits else memory_rejection(candidate, machine, tried)
        found.append((assess(candidate, placed, book, task, speed_of), rejection))

    def usefulness(row: tuple[Assessment, Rejection | None]) -> tuple[int, bool, int, float]:
        one, rejection = row
        missing = (rejection.missing_bytes or 0) if rejection else 0
        place = 0 if rejection else preference(one.candidate.quant)
        return missing, not one.candidate.installed, place, -one.quality

    return tuple(sorted(found, key=usefulness))


def _filter(
    book: Catalog, able: Sequence[Candidate], request: Request, task: Task
) -> tuple[list[Candidate], list[Rejection]]:
    """What passes the wishes, and what does not, by the first that it fails."""
    left, excluded = list(able), []
    wishes = filters_of(request, task)
    for wish in wishes:
        failed = {id(one): filtered(one, request, task, wish.gate) for one in left}
        remaining = [one for one in left if failed[id(one)] is None]
        excluded += [rejection for rejection in failed.values() if rejection is not None]
        if left and not remaining:
            if wish.gate == "capability":
                raise no_capability(book, task, able)
            raise nothing_passes(able, request, task, wishes, wish)
        left = remaining
    return left, excluded


def _fit(
    able: Sequence[Candidate], machine: Machine, request: Request, task: Task
) -> tuple[list[tuple[Candidate, Placement]], list[Rejection]]:
    fitting, too_large = [], []
    for candidate in able:
        tried = placements(candidate, machine, request, task)
        placed = next((placement for placement in tried if placement.fits), None)
        if placed is not None:
            fitting.append((candidate, placed))
        else:
            too_large.append(memory_rejection(candidate, machine, tried))
    return fitting, too_large


def _choose(
    assessed: Sequence[Assessment], machine: Machine, request: Request, task: Task, out: list[Rejection]
) -> Recommendation:
    floor = task.floor_tps if request.min_tps is None else request.min_tps
    passing = [one for one in assessed if useful_tps(one, task) >= floor]
    slow = [one for one in assessed if useful_tps(one, task) < floor]
    if not passing and request.min_tps is not None:
        raise nothing_is_fast_enough(slow, request, task, floor, out)
    best = choose(assessed, task, floor, strict=request.min_tps is not None)
    assert best is not None  # noqa: S101 (at least one was assessed)
    faster = faster_than(best, passing or slow, task, floor)
    smarter = None if request.min_tps is not None else smarter_than(best, slow, task, floor)
    chosen: list[tuple[Role, Assessment | None]] = [("best", best), ("faster", faster), ("smarter", smarter)]
    picks = [make_pick(role, one, best, request, task, floor, machine) for role, one in chosen if one is not None]
    taken = {id(pick.assessment) for pick in picks}
    others = ordered((one for one in (passing or slow) if id(one) not in taken), task)
    too_slow = [_slow(one, task, floor) for one in slow if passing and id(one) not in taken]
    return Recommendation(tuple(picks), others, tuple(out + too_slow))


def _with_less_context(best: Assessment, able: Sequence[Candidate], machine: Machine) -> str | None:
    """The context with which the usual file of a model would fit, where only a poor one fits; None where none does."""
    if quantisation_loss(best.candidate.quant) < SPOILT_POINTS or machine.memory is None or machine.gpus:
        return None
    own = (one for one in able if one.variant.id == best.candidate.variant.id)
    usual = next((one for one in own if one.quant == _USUAL_QUANT), None)
    if usual is None:
        return None
    settings = replace(USUAL, kv_type=best.kv_type)
    tokens = largest_context_that_fits(usual.shape, machine.memory, settings, at_most=best.context_tokens)
    if not SHORTEST_USEFUL_CONTEXT <= tokens < best.context_tokens:
        return None
    return f"better: {_USUAL_QUANT} with a context of {tokens:,} tokens, which would fit: --context {tokens}"


def _slow(one: Assessment, task: Task, floor: float) -> Rejection:
    tps = useful_tps(one, task)
    reason = f"{tps:.1f} tokens/s, below the target for {task.label}: {floor:g}"
    if thinking_ratio(one.candidate.variant, task):
        reason = (
            f"{tps:.1f} answer tokens per second, because it reasons first; the target for {task.label} is {floor:g}"
        )
    return Rejection(one.candidate.variant.id, one.candidate.quant, "speed", reason)
