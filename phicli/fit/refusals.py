"""The errors for when nothing can be recommended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phicli.catalog.display_name import with_quant
from phicli.catalog.types import Catalog
from phicli.errors import DoesNotFitError, PhiError, UnsupportedModelError, UsageError
from phicli.fit.memory import usable_bytes
from phicli.fit.placement import gpu_budget_bytes
from phicli.fit.ranking import sound
from phicli.fit.requirements import Filter, filtered
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Candidate, Rejection, Request
from phicli.fit.worth import useful_tps
from phicli.hardware.types import Machine
from phicli.units import format_bytes


def rejection_data(rejections: Sequence[Rejection]) -> list[dict[str, Any]]:
    """Rejections as ``--json`` shows them."""
    return [
        {
            "model": one.variant_id,
            "quant": one.quant,
            "gate": one.gate,
            "reason": one.reason,
            "missing_bytes": one.missing_bytes,
            "remedy": one.remedy,
        }
        for one in rejections
    ]


def nothing_fits(
    machine: Machine, request: Request, too_large: Sequence[Rejection], others: Sequence[Rejection]
) -> PhiError:
    """The memory is too small for all of them: what the smallest lacks, and what would make it fit."""
    nearest = min(too_large, key=lambda one: one.missing_bytes or 0)
    usable = 0 if machine.memory is None else usable_bytes(machine.memory)
    gpus = gpu_budget_bytes(machine.gpus)
    where = f"{format_bytes(usable)} can be used" + (f", and {format_bytes(gpus)} of the GPU" if gpus else "")
    name = with_quant(nearest.variant_id, nearest.quant)
    message = f"no model fits: {where}; the nearest, {name}, {nearest.reason}"
    more = "simulate a machine with more memory" if machine.simulated else "close other programs"
    if machine.memory is not None and machine.memory.limited:
        more = "raise the memory limit of the container"
    hint = (
        f"{more}, or use another machine or a service, such as Azure or NVIDIA's API catalog: phi remotes add NAME URL"
    )
    if nearest.remedy:
        hint = _again(request, nearest.remedy)
    data = {"usable_bytes": usable, "missing_bytes": nearest.missing_bytes}
    return DoesNotFitError(message, hint, data=data | {"rejected": rejection_data([*too_large, *others])})


def nothing_is_fast_enough(
    slow: Sequence[Assessment], request: Request, task: Task, others: Sequence[Rejection]
) -> PhiError:
    """The speed that was asked for is out of reach, or only files reach it whose quantization ruins the model."""
    quickest = max(slow, key=lambda one: useful_tps(one, task))
    fair = max(sound(slow) or slow, key=lambda one: useful_tps(one, task))
    tps, least = useful_tps(fair, task), request.min_tps or 0.0
    rejected = [
        Rejection(one.candidate.variant.id, one.candidate.quant, "speed", f"{useful_tps(one, task):.1f} tokens/s")
        for one in slow
    ]
    rest = f"the fastest of the others, {fair.candidate.name}, reaches {tps:.1f}"
    message = f"no model that fits reaches {least:g} tokens/s; the fastest, {fair.candidate.name}, reaches {tps:.1f}"
    most = useful_tps(quickest, task)
    if most >= least:
        name = quickest.candidate.name
        message = f"only quantizations that ruin the model reach {least:g} tokens/s, such as {name}; {rest}"
    elif most > tps:
        message = (
            f"no model that fits reaches {least:g} tokens/s; the fastest, {quickest.candidate.name}, reaches "
            f"{most:.1f}, but its quantization ruins it; {rest}"
        )
    return DoesNotFitError(
        message,
        _again(request, f"use a lower minimum: --min-tps {_floor(tps)}"),
        data={"rejected": rejection_data([*rejected, *others])},
    )


def _floor(tps: float) -> str:
    """Below ``tps``, so that it is reached: whole from 1 on, else to a tenth or hundredth."""
    return f"{int(tps)}" if tps >= 1 else f"{max(int(tps * 100) / 100, 0.01):g}"


def nothing_passes(
    able: Sequence[Candidate], request: Request, task: Task, wishes: Sequence[Filter], last: Filter
) -> UsageError:
    """The wishes exclude everything: one alone where that is so, else those that do it together."""
    made = [one for one in able if filtered(one, request, task, "capability") is None]
    for wish in (last, *wishes):
        if wish.gate != "capability" and all(filtered(one, request, task, wish.gate) for one in made):
            return _one_excludes(made, request, task, wish)
    before = [wish.option for wish in wishes[: wishes.index(last)] if wish.gate != "capability"]
    return UsageError(
        f"no model for {task.purpose} matches {_and([*before, last.option])}",
        f"leave out one of them: {', '.join([*before, last.option])}",
    )


def _one_excludes(made: Sequence[Candidate], request: Request, task: Task, wish: Filter) -> UsageError:
    if wish.gate == "context":
        longest = max(made, key=lambda one: (one.variant.context_tokens, task.order.index(one.variant.id))).variant
        asked = request.context_tokens or task.context_tokens
        return UsageError(
            f"no model for {task.purpose} was trained for {asked:,} tokens; "
            f"the longest is {longest.context_tokens:,} ({longest.id})",
            _again(request, f"use a smaller context: --context {longest.context_tokens}"),
        )
    if wish.gate == "installed":
        return UsageError(
            f"no model for {task.purpose} is installed on this machine",
            _again(request, "leave out --installed: "),
        )
    choices = {
        "licence": sorted({one.variant.license for one in made}),
        "quant": list(dict.fromkeys(one.quant for one in made)),
        "size": [f"{format_bytes(min(one.shape.weights_bytes for one in made))} and more"],
    }[wish.gate]
    return UsageError(f"no model matches {wish.option}", f"available: {', '.join(choices)}")


def no_capability(book: Catalog, task: Task, able: Sequence[Candidate]) -> UnsupportedModelError:
    """No engine here can do ``task``; who could serve it."""
    gifted = [variant for variant in book.variants if set(task.needs) & set(variant.capabilities)]
    who = [f"{variant.id} ({variant.runs_on})" for variant in gifted if not variant.runs_here]
    rejected = [rejection for one in able if (rejection := filtered(one, Request(), task, "capability")) is not None]
    here = [variant.id for variant in gifted if variant.runs_here]
    text_only = f"; {_and(here)} runs here with text only" if here else ""
    return UnsupportedModelError(
        f"no engine on this machine supports {task.purpose}{text_only}",
        f"these models support it elsewhere: {'; '.join(who)}" if who else "see all models: phi list --all",
        data={"rejected": rejection_data(rejected)},
    )


def _again(request: Request, advice: str) -> str:
    """``advice``, which ends in options behind a colon, as a command for the same task."""
    words, _, options = advice.rpartition(": ")
    task = [] if request.task == "any" else ["--task", request.task]
    return f"{words}: {' '.join(['phi recommend', *task, options])}".rstrip()


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
