"""One load of a model, fitted into the memory of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phicli.engine.settings import FIELDS, EngineSettings
from phicli.errors import UsageError
from phicli.fit.memory import (
    USUAL,
    check_fits,
    largest_context_that_fits,
    plan_memory,
    smaller_kv_types,
    takes_kv_type,
    usable_bytes,
)
from phicli.fit.shape import ModelShape
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.hardware.available import Memory


@dataclass(frozen=True, slots=True)
class ContextWish:
    """Sizes of a context in tokens: allocated first, and the most that it may grow to.

    With ``promised`` a person asked for the limit, so all of it has to fit; otherwise it is as much as memory allows.
    """

    first_tokens: int
    limit_tokens: int
    promised: bool = False


@dataclass(frozen=True, slots=True)
class FittedLoad:
    """What fits: the settings for the first allocation, and both sizes of the context in tokens.

    ``wanted`` are the settings as if there were memory for everything that only makes something faster.
    """

    settings: EngineSettings
    wanted: EngineSettings
    first_tokens: int
    limit_tokens: int


def fit_load(
    shape: ModelShape,
    memory: Memory | None,
    choices: Sequence[EngineSettings],
    context: ContextWish,
    *,
    model: str,
    on_too_large: OnTooLarge = refuse,
) -> FittedLoad:
    """Fit a load into ``memory``; None is a machine that does not report its memory: then nothing is refused.

    Args:
        shape: of the model.
        memory: of the machine.
        choices: settings, the best first. A later one is taken only where its KV cache is small enough and that of the
            ones before it is not.
        context: the context as if memory did not matter.
        model: the model as a person names it, for messages.
        on_too_large: is given the error where the memory is too small; when it returns, the load is the smallest.

    Raises:
        UsageError: the engine cannot keep the context of this model in the type that is first in ``choices``.
        DoesNotFitError: the memory is too small; the message has the sums.
    """
    if not takes_kv_type(shape, choices[0].kv_type):
        message = f"the engine cannot use the KV cache type {choices[0].kv_type} for {model}"
        raise UsageError(message, "leave out --kv-type")
    if memory is None:
        return FittedLoad(choices[0], choices[0], context.first_tokens, context.limit_tokens)
    possible = [one for one in choices if takes_kv_type(shape, one.kv_type)]
    wanted = next((one for one in possible if _fits(shape, memory, one.kv_type, context.first_tokens)), possible[-1])
    limit = context.limit_tokens
    if not context.promised:
        limit = min(limit, _longest(shape, memory, wanted.kv_type, limit) or context.first_tokens)
    first = min(limit, context.first_tokens)
    _require(shape, memory, wanted.kv_type, limit if context.promised else first, model, on_too_large)
    return FittedLoad(fitting(wanted, shape, first, memory), wanted, first, limit)


def fitting(settings: EngineSettings, shape: ModelShape, context_tokens: int, memory: Memory | None) -> EngineSettings:
    """``settings`` without what only makes something faster and does not fit.

    Repacking is dropped first, then what tuning said of the batch and flash attention. What is left may still not fit.
    """
    unpacked = replace(settings, repack=False)
    steps = (settings, unpacked, with_usual_buffers(unpacked))
    if memory is None:
        return settings
    usable = usable_bytes(memory)
    sums = ((one, plan_memory(shape, one, context_tokens=context_tokens)) for one in steps)
    return next((one for one, needed in sums if needed.total_bytes <= usable), steps[-1])


def with_usual_buffers(settings: EngineSettings) -> EngineSettings:
    """``settings`` with the default batch and flash attention, whose buffers are small."""
    return replace(settings, **{name: FIELDS[name].default for name in ("batch_tokens", "flash_attention")})


def _require(
    shape: ModelShape, memory: Memory, kv_type: str, context_tokens: int, model: str, on_too_large: OnTooLarge
) -> None:
    """Return if the least that a load takes fits; else propose a smaller context or KV type."""
    if _fits(shape, memory, kv_type, context_tokens):
        return
    smaller = (name for name in smaller_kv_types(shape, kv_type) if _fits(shape, memory, name, context_tokens))
    check_fits(
        plan_memory(shape, _plain(kv_type), context_tokens=context_tokens), memory,
        model=model, context_tokens=context_tokens,
        fitting_context=_longest(shape, memory, kv_type, context_tokens), fitting_kv_type=next(smaller, None),
        on_too_large=on_too_large,
    )  # fmt: skip


def _plain(kv_type: str) -> EngineSettings:
    """The settings that take the least memory with a KV cache of ``kv_type``."""
    return replace(USUAL, kv_type=kv_type)


def _fits(shape: ModelShape, memory: Memory, kv_type: str, context_tokens: int) -> bool:
    needed = plan_memory(shape, _plain(kv_type), context_tokens=context_tokens)
    return needed.resident_bytes <= usable_bytes(memory)


def _longest(shape: ModelShape, memory: Memory, kv_type: str, at_most: int) -> int:
    return largest_context_that_fits(shape, memory, _plain(kv_type), at_most=at_most)
