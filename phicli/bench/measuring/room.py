"""Whether what is benched fits into memory, alone and all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.engine.settings import EngineSettings
from phicli.engine.starting import ENGINES
from phicli.errors import UsageError
from phicli.fit.memory import check_fits, plan_memory, takes_kv_type, usable_bytes
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import ModelShape
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.hardware.available import Memory
from phicli.hardware.types import Gpu
from phicli.records.run import Subject

_MOST_AT_ONCE: Final = 8
"""Engines that are loaded at the same time at most: each is a process with threads of its own."""


@dataclass(frozen=True, slots=True)
class PlannedLoad:
    """A model with its settings and a context of so many tokens, before it is loaded."""

    subject: Subject
    settings: EngineSettings
    shape: ModelShape
    context_tokens: int


def needed(load: PlannedLoad, gpus: Sequence[Gpu] = ()) -> MemorySum:
    """What ``load`` takes; layers go to a graphics processor only where the engine is known to use one."""
    gpus = gpus if ENGINES[load.subject.engine].uses_known_gpus else ()
    layers = layers_on_gpu(load.settings, load.shape, gpus)
    return plan_memory(load.shape, load.settings, context_tokens=load.context_tokens, gpu_layers=layers)


def layers_on_gpu(settings: EngineSettings, shape: ModelShape, gpus: Sequence[Gpu]) -> int:
    """How many layers a graphics processor of its own memory gets, the output counted as one; 0 without one."""
    if not any(gpu.usable and not gpu.unified for gpu in gpus):
        return 0
    return shape.layers + 1 if settings.gpu_layers < 0 else min(settings.gpu_layers, shape.layers + 1)


def check_room(
    load: PlannedLoad, memory: Memory | None, gpus: Sequence[Gpu] = (), on_too_large: OnTooLarge = refuse
) -> None:
    """Return if ``load`` can be loaded, or if the machine does not report its memory, or ``on_too_large`` returns.

    Raises:
        UsageError: the engine cannot keep the context of this model in the type that was asked for.
        DoesNotFitError: the memory is too small; the message has the sums.
    """
    subject, kv_type = load.subject, load.settings.kv_type
    if not takes_kv_type(load.shape, kv_type):
        raise UsageError(f"the engine cannot use the KV cache type {kv_type} for {subject.model}", "use --kv-type f16")
    check_fits(
        needed(load, gpus), memory, model=subject.model, context_tokens=load.context_tokens, on_too_large=on_too_large
    )


def fits(load: PlannedLoad, memory: Memory | None, gpus: Sequence[Gpu] = ()) -> bool:
    """Whether ``load`` fits into the usable memory, or the machine does not report its memory."""
    return memory is None or needed(load, gpus).resident_bytes <= usable_bytes(memory)


def fit_together(loads: Sequence[PlannedLoad], memory: Memory | None, gpus: Sequence[Gpu] = ()) -> bool:
    """Whether all of ``loads`` can stay loaded at the same time.

    The weights of a file are mapped, so engines with the same file share them, unless they are repacked copies. What
    goes to a graphics processor is not shared.
    """
    if len(loads) == 1:
        return True
    if len(loads) > _MOST_AT_ONCE or memory is None:
        return False
    main, graphics = 0, 0
    seen: set[tuple[Path, bool]] = set()
    for load in loads:
        sums = needed(load, gpus)
        graphics += sums.gpu_bytes
        main += sums.resident_bytes
        file = load.subject.path, ENGINES[load.subject.engine].reads_llama
        if file in seen:
            main -= sums.weights_bytes - sums.gpu_weights_bytes
        seen.add(file)
    free = sum(gpu.free_bytes or 0 for gpu in gpus if gpu.usable and not gpu.unified)
    return main <= usable_bytes(memory) and graphics <= free
