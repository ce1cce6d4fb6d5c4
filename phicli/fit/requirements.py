"""What a candidate must pass before it is ranked, one gate after the other: the first that it fails is the reason."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from phicli.catalog.quants import same_quant
from phicli.catalog.types import Variant
from phicli.errors import UsageError
from phicli.fit.memory import KV_TYPE_BYTES, USUAL, largest_context_that_fits, padded_context, takes_kv_type
from phicli.fit.placement import Placement, place
from phicli.fit.tasks import Task, task_named
from phicli.fit.types import Candidate, Rejection, Request
from phicli.hardware.types import Machine
from phicli.units import format_bytes

SHORTEST_USEFUL_CONTEXT: Final = 512
_ROOM_FOR_ANSWER: Final = 512


@dataclass(frozen=True, slots=True)
class Filter:
    """A wish that leaves candidates out whatever the machine: the option and its value as typed, and the gate."""

    gate: str
    option: str


def check_request(request: Request) -> Task:
    """The task of ``request``, whose numbers make sense.

    Raises:
        UsageError: there is no such task or type of cache, a number is not positive, or the prompt fills the context.
    """
    task = task_named(request.task)
    if request.kv_type is not None and request.kv_type not in KV_TYPE_BYTES:
        raise UsageError(
            f"unknown KV cache type: {request.kv_type!r}",
            f"the types are {', '.join(KV_TYPE_BYTES)}; for example: phi recommend --kv-type q8_0",
        )
    numbers = {
        "--context": request.context_tokens,
        "--prompt-tokens": request.prompt_tokens,
        "--min-tps": request.min_tps,
        "--max-size": request.max_size_bytes,
    }
    for option, number in numbers.items():
        if number is not None and not 0 < number < float("inf"):
            raise UsageError(f"{option} must be more than 0", f"see the help of {option}: phi recommend --help")
    context = request.context_tokens or task.context_tokens
    if request.prompt_tokens >= context:
        longer = padded_context(request.prompt_tokens + _ROOM_FOR_ANSWER)
        of_task = "" if task.name == "any" else f"--task {task.name} "
        raise UsageError(
            f"a prompt of {request.prompt_tokens:,} tokens leaves no tokens for an answer in a context of {context:,}",
            f"use a larger context: phi recommend {of_task}--prompt-tokens {request.prompt_tokens} --context {longer}",
        )
    return task


def engine_rejection(variant: Variant, *, has_files: bool) -> Rejection | None:
    """Why no file of ``variant`` is a candidate at all."""
    if variant.packaged_file:
        return Rejection(variant.id, None, "toy", "a toy model, made only to test an installation")
    if not variant.runs_here:
        reason = f"no engine on this machine supports it: {variant.why_not}"
        return Rejection(variant.id, None, "engine", reason, remedy=f"it runs on {variant.runs_on}")
    if not has_files:
        remedy = f"convert {variant.repo} to GGUF, then: phi chat FILE.gguf" if variant.repo else None
        return Rejection(variant.id, None, "files", "no GGUF file is known", remedy=remedy)
    return None


def filters_of(request: Request, task: Task) -> tuple[Filter, ...]:
    """The wishes in ``request``, in the order of the gates."""
    found = [Filter("capability", f"--task {task.name}")]
    if request.context_tokens is not None or task.context_required:
        found.append(Filter("context", f"--context {request.context_tokens or task.context_tokens}"))
    if request.license is not None:
        found.append(Filter("licence", f"--license {shlex.quote(request.license)}"))
    if request.quant is not None:
        found.append(Filter("quant", f"--quant {shlex.quote(request.quant)}"))
    if request.max_size_bytes is not None:
        found.append(Filter("size", f"--max-size {format_bytes(request.max_size_bytes)}"))
    if request.installed_only:
        found.append(Filter("installed", "--installed"))
    return tuple(found)


def filtered(candidate: Candidate, request: Request, task: Task, gate: str) -> Rejection | None:
    """The rejection of ``candidate`` by the filter ``gate``, None when it passes."""
    variant = candidate.variant
    reason: str | None = None
    if gate == "capability":
        reason = _lacks(variant, task)
    elif gate == "context":
        reason = _too_long(variant, request.context_tokens or task.context_tokens)
    elif gate == "licence":
        reason = _other_license(variant, request.license or "")
    elif gate == "quant" and not same_quant(candidate.quant, request.quant):
        reason = "not the requested quantization"
    elif gate == "size":
        reason = _too_large(candidate, request.max_size_bytes or 0)
    elif gate == "installed" and not candidate.installed:
        reason = "not on this machine"
    return None if reason is None else Rejection(variant.id, candidate.quant, gate, reason)


def memory_rejection(candidate: Candidate, machine: Machine, tried: Sequence[Placement]) -> Rejection:
    """Why ``candidate`` does not fit, by how much, and the remedy; ``tried`` are its placements."""
    last = min(tried, key=lambda placement: placement.missing_bytes)
    context, shape = last.context_tokens, candidate.shape
    reason = f"needs {format_bytes(last.missing_bytes)} more memory with a context of {context:,} tokens"
    if last.kv_type != "f16":
        reason += f" and a {last.kv_type} KV cache"
    remedy = None
    if last.kv_type == "f16" and takes_kv_type(shape, "q8_0") and place(shape, machine, context, "q8_0").fits:
        remedy = "q8_0 KV cache would fit: --kv-type q8_0"
    elif machine.memory is not None:
        settings = replace(USUAL, kv_type=last.kv_type)
        fitting = largest_context_that_fits(shape, machine.memory, settings, at_most=context)
        if fitting >= SHORTEST_USEFUL_CONTEXT:
            remedy = f"a context of {fitting:,} tokens would fit: --context {fitting}"
    return Rejection(candidate.variant.id, candidate.quant, "memory", reason, last.missing_bytes, remedy)


def _lacks(variant: Variant, task: Task) -> str | None:
    if not task.needs or set(task.needs) & set(variant.capabilities):
        return None if variant.id in task.order else f"not ranked for {task.purpose}"
    base = "chat" not in variant.capabilities
    return "a base model: it continues text and does not answer questions" if base else f"not made for {task.purpose}"


def _too_long(variant: Variant, context_tokens: int) -> str | None:
    if context_tokens <= variant.context_tokens:
        return None
    return f"trained for only {variant.context_tokens:,} tokens"


def _other_license(variant: Variant, wanted: str) -> str | None:
    return None if variant.license.casefold() == wanted.strip().casefold() else f"its license is {variant.license}"


def _too_large(candidate: Candidate, limit: int) -> str | None:
    weights = candidate.shape.weights_bytes
    return None if weights <= limit else f"its file size is {format_bytes(weights)}"
