"""One load of a model, fitted into the memory of a machine: main memory, and that of its GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phicli.engine.settings import ALL_LAYERS, FIELDS, EngineSettings
from phicli.errors import UsageError
from phicli.fit.memory import (
    USUAL,
    check_fits,
    longest_context,
    plan_memory,
    refuse_layers,
    smaller_kv_types,
    takes_kv_type,
    usable_bytes,
)
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import ModelShape
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.hardware.available import Memory

if TYPE_CHECKING:
    from phicli.hardware.types import Gpu


@dataclass(frozen=True, slots=True)
class Room:
    """Where a load may go: main memory, None where the machine does not report it, and the GPUs that the engine has."""

    memory: Memory | None
    gpus: tuple[Gpu, ...] = ()

    @property
    def gpu_bytes(self) -> int:
        """What of the GPUs may be planned with."""
        from phicli.fit.placement import gpu_budget_bytes

        return gpu_budget_bytes(self.gpus)

    def layers(self, shape: ModelShape, settings: EngineSettings, context_tokens: int) -> int:
        """How many layers go to a GPU, the output counted as one: as many as fit, unless ``settings`` say a number."""
        if not self.gpus or settings.gpu_layers == 0:
            return 0
        if settings.gpu_layers != ALL_LAYERS:
            return min(settings.gpu_layers, shape.layers + 1)
        from phicli.fit.placement import place
        from phicli.hardware.types import Cpu, Machine

        machine = Machine(self.memory, Cpu("", 1, 1), self.gpus)
        return place(shape, machine, context_tokens, settings.kv_type).gpu_layers

    def needed(self, shape: ModelShape, settings: EngineSettings, context_tokens: int) -> MemorySum:
        """What a load takes, with its layers where :meth:`layers` puts them."""
        layers = self.layers(shape, settings, context_tokens)
        return plan_memory(shape, settings, context_tokens=context_tokens, gpu_layers=layers)

    def main(self, needed: MemorySum) -> MemorySum:
        """The part of ``needed`` that main memory has to hold: all of it where a GPU shares main memory."""
        if any(gpu.unified for gpu in self.gpus):
            none = {"gpu_weights_bytes": 0, "gpu_kv_bytes": 0, "gpu_compute_bytes": 0, "gpu_adapter_bytes": 0}
            return replace(needed, **none)
        return needed.beside_gpu

    def holds(self, shape: ModelShape, settings: EngineSettings, context_tokens: int) -> bool:
        """Whether a load fits."""
        needed = self.needed(shape, settings, context_tokens)
        if needed.gpu_bytes and needed.gpu_bytes > self.gpu_bytes:
            return False
        return self.memory is None or self.main(needed).total_bytes <= usable_bytes(self.memory)


@dataclass(frozen=True, slots=True)
class ContextWish:
    """Sizes of a context in tokens: allocated first, and the most that it may grow to.

    With ``promised`` a person asked for the limit, so all of it has to fit; otherwise it is as much as memory allows,
    and ``usual_tokens`` have to fit, the first allocation of a conversation: one answer may begin with less, but grows.
    """

    first_tokens: int
    limit_tokens: int
    promised: bool
    usual_tokens: int


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
    room: Room,
    choices: Sequence[EngineSettings],
    context: ContextWish,
    *,
    model: str,
    on_too_large: OnTooLarge = refuse,
) -> FittedLoad:
    """Fit a load into ``room``; where the machine does not report its main memory, nothing is refused for that.

    Args:
        shape: of the model.
        room: what the machine has.
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
    possible = [one for one in choices if takes_kv_type(shape, one.kv_type)]
    first_fitting = (one for one in possible if room.holds(shape, _plain(one), context.usual_tokens))
    wanted = next(first_fitting, possible[-1])
    limit = context.limit_tokens
    if not context.promised:
        limit = min(limit, _longest(shape, room, wanted, limit) or context.usual_tokens)
    first, required = min(limit, context.first_tokens), limit if context.promised else min(limit, context.usual_tokens)
    _require(shape, room, wanted, required, model, on_too_large)
    return FittedLoad(fitting(wanted, shape, first, room), wanted, first, limit)


def fitting(settings: EngineSettings, shape: ModelShape, context_tokens: int, room: Room) -> EngineSettings:
    """``settings`` without what only makes something faster and does not fit, and with the layers for the GPU.

    Repacking is dropped first, then what tuning said of the batch and flash attention. What is left may still not fit.
    The layers stay the engine's choice where it can have all of them, or has no GPU.
    """
    unpacked = replace(settings, repack=False)
    steps = (settings, unpacked, with_usual_buffers(unpacked))
    chosen = next((one for one in steps if room.holds(shape, one, context_tokens)), steps[-1])
    layers = room.layers(shape, chosen, context_tokens)
    if not room.gpus or chosen.gpu_layers != ALL_LAYERS or layers > shape.layers:
        return chosen
    return replace(chosen, gpu_layers=layers)


def with_usual_buffers(settings: EngineSettings) -> EngineSettings:
    """``settings`` with the default batch and flash attention, whose buffers are small."""
    return replace(settings, **{name: FIELDS[name].default for name in ("batch_tokens", "flash_attention")})


def _require(
    shape: ModelShape, room: Room, wanted: EngineSettings, context_tokens: int, model: str, on_too_large: OnTooLarge
) -> None:
    """Return if the least that a load takes fits; else propose fewer layers, a smaller context or a smaller KV type."""
    plain = _plain(wanted)
    if room.holds(shape, plain, context_tokens):
        return
    needed = room.needed(shape, plain, context_tokens)
    if needed.gpu_bytes > room.gpu_bytes:
        most = room.layers(shape, replace(plain, gpu_layers=ALL_LAYERS), context_tokens)
        refuse_layers(needed, room.gpu_bytes, wanted.gpu_layers, most, model=model, on_too_large=on_too_large)
        return
    kv_types = smaller_kv_types(shape, plain.kv_type)
    smaller = (name for name in kv_types if room.holds(shape, replace(plain, kv_type=name), context_tokens))
    check_fits(
        room.main(needed), room.memory, model=model, context_tokens=context_tokens,
        fitting_context=_longest(shape, room, wanted, context_tokens), fitting_kv_type=next(smaller, None),
        gpu_usable_bytes=room.gpu_bytes, on_too_large=on_too_large,
    )  # fmt: skip


def _plain(settings: EngineSettings) -> EngineSettings:
    """The settings that take the least memory with the KV cache and the GPU layers of ``settings``."""
    return replace(USUAL, kv_type=settings.kv_type, gpu_layers=settings.gpu_layers)


def _longest(shape: ModelShape, room: Room, settings: EngineSettings, at_most: int) -> int:
    return longest_context(lambda tokens: room.holds(shape, _plain(settings), tokens), at_most=at_most)
