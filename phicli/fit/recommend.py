"""The recommendation: gates first, then what is worth most. A pure function of what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phicli.catalog.quants import preference
from phicli.catalog.types import Catalog, Variant
from phicli.fit.assessing import Assessing, SpeedOf
from phicli.fit.contexts import is_long_wait, planned_context
from phicli.fit.picks import Wording
from phicli.fit.quality import SPOILT_POINTS, quantisation_loss, score_of, thinking_ratio
from phicli.fit.ranking import ROOM_SHARE, Ranking, least_spoilt, sound
from phicli.fit.refusals import no_capability, nothing_fits, nothing_is_fast_enough, nothing_passes
from phicli.fit.requirements import check_request, engine_rejection, filtered, filters_of, memory_rejection
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Candidate, Recommendation, Rejection, Request, Role
from phicli.fit.worth import step_of
from phicli.hardware.types import Machine


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
    running = [candidate for candidate in candidates if candidate.variant.id not in out_ids]
    able, excluded = _filter(book, running, request, task)
    judge = Assessing(book, machine, request, ranking_for(task, book), speed_of)
    assessed, too_large = _fit(able, judge)
    if not assessed:
        raise nothing_fits(machine, request, too_large, out + excluded)
    best = _best(assessed, judge, out + excluded + too_large)
    wording = Wording(
        request, judge.ranking, machine, better=_with_a_better_context(best, able, judge),
        unlisted=_unlisted(running, excluded, judge),
    )  # fmt: skip
    return _choose(best, assessed, judge, wording, out + excluded + too_large)


def ranking_for(task: Task, book: Catalog) -> Ranking:
    """How candidates are compared for ``task``."""
    return Ranking(task, task.floor_tps, step_of(task, book.variants))


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
    own = [candidate for candidate in candidates if candidate.variant.id == variant.id]
    judge = _judge_of(variant, book, machine, speed_of, request or Request())
    assessed, _ = _fit(own, judge)
    return judge.ranking.best(sound(assessed) or assessed)


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
    judge = _judge_of(variant, book, machine, speed_of, Request())
    found: list[tuple[Assessment, Rejection | None]] = []
    for candidate in (one for one in candidates if one.variant.id == variant.id):
        one, rejection = judge.best_place(candidate), None
        if one is None:
            tried = judge.tried(candidate)
            rejection = memory_rejection(candidate, machine, tried)
            one = judge.at(candidate, min(tried, key=lambda placed: placed.missing_bytes))
        found.append((one, rejection))

    def usefulness(row: tuple[Assessment, Rejection | None]) -> tuple[int, bool, int, float]:
        one, rejection = row
        missing = (rejection.missing_bytes or 0) if rejection else 0
        place = 0 if rejection else preference(one.candidate.quant)
        return missing, not one.candidate.installed, place, -one.quality

    return tuple(sorted(found, key=usefulness))


def _judge_of(variant: Variant, book: Catalog, machine: Machine, speed_of: SpeedOf, request: Request) -> Assessing:
    """For one model, whose context is the usual one."""
    task = check_request(request)
    usual = replace(request, context_tokens=planned_context(variant, request, task))
    return Assessing(book, machine, usual, ranking_for(task, book), speed_of)


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


def _fit(able: Sequence[Candidate], judge: Assessing) -> tuple[list[Assessment], list[Rejection]]:
    fitting, too_large = [], []
    for candidate in able:
        one = judge.best_place(candidate)
        if one is not None:
            fitting.append(one)
        else:
            too_large.append(memory_rejection(candidate, judge.machine, judge.tried(candidate)))
    return fitting, too_large


def _best(assessed: Sequence[Assessment], judge: Assessing, out: list[Rejection]) -> Assessment:
    """What is worth most among what reaches the speed that was asked for; a ruined file where no other is as good."""
    best = judge.ranking.best([one for one in least_spoilt(assessed) if judge.is_quick(one)])
    if best is None:
        raise nothing_is_fast_enough(assessed, judge.request, judge.ranking.task, out)
    return best


def _choose(
    best: Assessment, assessed: Sequence[Assessment], judge: Assessing, wording: Wording, out: list[Rejection]
) -> Recommendation:
    ranking = judge.ranking
    passing = [one for one in assessed if judge.is_quick(one)]
    faster, smarter = ranking.faster(best, passing), ranking.smarter(best, passing)
    chosen: list[tuple[Role, Assessment | None]] = [("best", best), ("faster", faster), ("smarter", smarter)]
    picks = [wording.pick(role, judge.roomier(one), best) for role, one in chosen if one is not None]
    taken = {id(one) for _, one in chosen if one is not None}
    others = ranking.ordered(one for one in passing if id(one) not in taken)
    slow = [_slow(one, judge) for one in assessed if not judge.is_quick(one)]
    return Recommendation(tuple(picks), others, tuple(out + slow))


def _with_a_better_context(best: Assessment, able: Sequence[Candidate], judge: Assessing) -> Assessment | None:
    """What would be taken with another context than the one that was asked for, where that one is too long.

    It is too long where only a ruined file has it, where reading it in takes longer than anybody waits, and where the
    memory is nearly full with it.
    """
    spoilt = quantisation_loss(best.candidate.quant) >= SPOILT_POINTS and judge.request.quant is None
    too_long = spoilt or best.memory_share > ROOM_SHARE or is_long_wait(best.speed, judge.ranking.task)
    if judge.request.context_tokens is None or not too_long:
        return None
    assessed, _ = _fit(able, replace(judge, request=replace(judge.request, context_tokens=None)))
    other = judge.ranking.best([one for one in sound(assessed) if judge.is_quick(one)])
    return other if other is not None and other.context_tokens < best.context_tokens else None


def _unlisted(running: Sequence[Candidate], excluded: Sequence[Rejection], judge: Assessing) -> tuple[Variant, ...]:
    """Models with a score on the scale that fit, but are not made for the task."""
    out = {(one.variant_id, one.quant) for one in excluded if one.gate == "capability"}
    made_for_more = [one for one in running if (one.variant.id, one.quant) in out]
    scored = [one for one in made_for_more if score_of(one.variant, judge.ranking.task) is not None]
    fitting = [one for one in scored if any(placed.fits for placed in judge.tried(one))]
    sound_ = [one.variant for one in fitting if quantisation_loss(one.quant) < SPOILT_POINTS]
    return tuple({variant.id: variant for variant in sound_}.values())


def _slow(one: Assessment, judge: Assessing) -> Rejection:
    tps, thinks = judge.ranking.tps(one), thinking_ratio(one.candidate.variant, judge.ranking.task)
    what = "answer tokens per second, because it reasons first" if thinks else "tokens/s"
    reason = f"{tps:.1f} {what}; --min-tps asks for {judge.request.min_tps:g}"
    return Rejection(one.candidate.variant.id, one.candidate.quant, "speed", reason)
