"""Which contexts are planned for a model: what was asked for, else the best of what the task would like to have.

A long document and the thoughts of a reasoning model, whatever it is asked, would like 32,768 tokens. That is halved
where it would not leave room in the memory, or where reading it in would take longer than anybody waits. Otherwise
there is one usual context, which is halved once where nothing fits otherwise.
"""

from __future__ import annotations

from typing import Final

from phicli.catalog.types import Variant
from phicli.fit.memory import takes_kv_type
from phicli.fit.placement import Placement, places
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Request, Speed
from phicli.hardware.types import Machine
from phicli.units import counted, format_bytes

LONG: Final = 32_768
_LEAST_LONG: Final = 8192

FULL_SHARE: Final = 0.85
"""Of the usable memory: a context that is longer than the least one fills no more."""

PATIENCE_S: Final = 1800.0
"""Seconds that a document may take to be read in, if a shorter context is an alternative."""


def planned_context(variant: Variant, request: Request, task: Task) -> int:
    """The context in tokens that is wanted for ``variant``: what was asked for, else what the task likes to have.

    It is never more than the model was trained for, unless that was asked for.
    """
    if request.context_tokens is not None:
        return request.context_tokens
    return min(max(task.context_tokens, LONG) if variant.reasoning else task.context_tokens, variant.context_tokens)


def contexts(variant: Variant, request: Request, task: Task) -> tuple[int, ...]:
    """The contexts to try, longest first; what was asked for is the only one."""
    tokens = planned_context(variant, request, task)
    if request.context_tokens is not None:
        return (tokens,)
    least = _LEAST_LONG if task.context_required else task.context_tokens // 2
    found = [tokens]
    while found[-1] // 2 >= least:
        found.append(found[-1] // 2)
    return tuple(found)


def is_sensible(placed: Placement, speed: Speed, request: Request, task: Task) -> bool:
    """Whether a context may be as long as in ``placed``, with room left and an end of the reading in sight.

    What was asked for may be, and the least that is of use for the task.
    """
    least = _LEAST_LONG if task.context_required else task.context_tokens
    if request.context_tokens is not None or placed.context_tokens <= least:
        return True
    return placed.memory_share <= FULL_SHARE and not is_long_wait(speed, task)


def is_long_wait(speed: Speed, task: Task) -> bool:
    """Whether reading a document that fills the context takes longer than anybody waits."""
    return task.context_required and speed.context_s > PATIENCE_S


def why_shorter(one: Assessment, machine: Machine) -> str:
    """What the context that is wanted for ``one`` would take, where a shorter one is planned."""
    tokens = one.wanted_tokens
    words, possible = _obstacle(one, machine, tokens, ("f16", "q8_0"))
    return f"{tokens:,} tokens would {words}" + (f"; to use them anyway: --context {tokens}" if possible else "")


def why_short_thoughts(one: Assessment, machine: Machine) -> str:
    """Why the thoughts of ``one`` have a shorter context than is wanted for them."""
    words, _ = _obstacle(one, machine, one.wanted_tokens, ("f16", "q8_0"))
    more, _ = _obstacle(one, machine, 2 * one.context_tokens, ("f16", "q8_0"))
    reason = f"{one.wanted_tokens:,} would {words}" if more.startswith(("fill", "take")) else "more do not fit"
    return f"its reasoning is limited to {one.context_tokens:,} tokens: {reason}"


def why_smaller_cache(one: Assessment, machine: Machine) -> str:
    """What an f16 cache would take, where another is planned for ``one``."""
    return f"f16 would {_obstacle(one, machine, one.context_tokens, ('f16',))[0]}"


def _obstacle(one: Assessment, machine: Machine, tokens: int, kv_types: tuple[str, ...]) -> tuple[str, bool]:
    """What stands against a context of ``tokens`` for ``one``, in words behind "would", and whether it is possible.

    In this order: memory that is missing, a reading that nobody waits for, layers that have to leave the GPU, memory
    that is full, and minutes of reading.
    """
    shape = one.candidate.shape
    names = [name for name in kv_types if takes_kv_type(shape, name)]
    tried = [placed for name in names for placed in places(shape, machine, tokens, name)]
    least = min(tried, key=lambda placed: (placed.missing_bytes, -placed.gpu_layers, placed.memory_share))
    if not least.fits:
        return f"need {format_bytes(least.missing_bytes)} more memory", False
    speed = one.wanted_speed
    if speed is not None and speed.context_s > PATIENCE_S:
        return f"take {format_wait(speed.context_s)} to read", True
    if least.gpu_layers < one.gpu_layers:
        left = f"leave only {least.gpu_layers} of {shape.layers + 1} layers on the GPU"
        return left if least.gpu_layers else "not fit on the GPU", True
    if speed is not None and least.memory_share < FULL_SHARE:
        return f"take {format_wait(speed.context_s)} to read", True
    return f"fill {least.memory_share:.0%} of the usable memory", True


def format_wait(seconds: float) -> str:
    """A time that one waits, in words: ``47 minutes``, ``1 second``."""
    if seconds >= 90:
        return counted(round(seconds / 60), "minute")
    return counted(max(round(seconds), 1), "second")
