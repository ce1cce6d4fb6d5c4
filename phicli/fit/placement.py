"""Where a model would run on a machine, and whether the memory for it is there: GPU, both, or processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from phicli.fit.memory import MIB, USUAL, plan_memory, usable_bytes
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import ModelShape
from phicli.hardware.types import Gpu, Machine

_GPU_RUNTIME_BYTES: Final = 300 * MIB
_KEEP_FREE_BYTES: Final = 512 * MIB
_KEEP_FREE_SHARE: Final = 0.05
_LEAST_SPLIT_SHARE: Final = 0.25
"""With fewer of the layers on the GPU the processor's speed is all one gets, and the transfers come on top."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A load that was planned: ``gpu_layers`` counts the output matrix as one layer, as llama.cpp does.

    ``memory`` says which part of it is on the GPU. ``missing_bytes`` is 0 when it fits. ``memory_share`` is the part of
    the usable main memory that it fills, 0 where nobody tells how much there is.
    """

    context_tokens: int
    kv_type: str
    memory: MemorySum
    gpu_layers: int = 0
    missing_bytes: int = 0
    memory_share: float = 0.0

    @property
    def fits(self) -> bool:
        """Nothing is missing."""
        return self.missing_bytes <= 0


def place(shape: ModelShape, machine: Machine, context_tokens: int, kv_type: str) -> Placement:
    """The first of :func:`places`."""
    return places(shape, machine, context_tokens, kv_type)[0]


def places(shape: ModelShape, machine: Machine, context_tokens: int, kv_type: str) -> tuple[Placement, ...]:
    """Every place on ``machine`` where ``shape`` fits, those on the GPU first.

    As many layers as there is room for go to the GPU, or none; all where a GPU that shares main memory holds them: the
    processor would only be slower. Nothing is repacked. Where nothing fits it is one place, the processor, with what is
    missing. A machine that does not report its memory is taken to have enough.
    """

    settings = replace(USUAL, kv_type=kv_type)

    def planned(gpu_layers: int) -> MemorySum:
        return plan_memory(shape, settings, context_tokens=context_tokens, gpu_layers=gpu_layers)

    usable = None if machine.memory is None else usable_bytes(machine.memory)
    layers = _layers_on_gpu(shape, machine, usable, planned)
    found = []
    numbers = (layers,) if layers and any(gpu.usable and gpu.unified for gpu in machine.gpus) else (layers, 0)
    for number in dict.fromkeys(numbers):
        memory = planned(number)
        share = _share(memory, machine, usable, on_gpu=number > 0)
        missing = 0 if usable is None or number else max(memory.resident_bytes - usable, 0)
        found.append(Placement(context_tokens, kv_type, memory, number, missing, share))
    return tuple(one for one in found if one.fits) or (found[-1],)


def _share(memory: MemorySum, machine: Machine, usable: int | None, *, on_gpu: bool) -> float:
    """The part of the usable memory that is filled; of graphics that share it also of what they may take."""
    if not usable:
        return 0.0
    if not (on_gpu and any(gpu.usable and gpu.unified for gpu in machine.gpus)):
        return memory.resident_bytes / usable
    return max(memory.total_bytes / usable, memory.gpu_bytes / gpu_budget_bytes(machine.gpus))


def gpu_budget_bytes(gpus: tuple[Gpu, ...]) -> int:
    """Bytes that may be planned with on the GPUs that the engine can use.

    What is free (else the total) of each, less max(512 MiB, 5 %) for the desktop, and less what the driver takes for a
    process before it has loaded anything (about 300 MiB with CUDA). Graphics that share main memory keep nothing of
    that: their limit (Metal's ``recommendedMaxWorkingSetSize``) has it already, and main memory has its own reserve.
    """
    budget = 0
    for gpu in gpus:
        free = gpu.free_bytes if gpu.free_bytes is not None else gpu.total_bytes
        if gpu.usable and free:
            kept = max(_KEEP_FREE_BYTES, int((gpu.total_bytes or free) * _KEEP_FREE_SHARE)) + _GPU_RUNTIME_BYTES
            budget += max(free - (0 if gpu.unified else kept), 0)
    return budget


def _layers_on_gpu(shape: ModelShape, machine: Machine, usable: int | None, planned: Callable[[int], MemorySum]) -> int:
    """How many layers go to the GPU; 0 when it is not worth it or what is left does not fit into main memory.

    ``planned`` gives the memory for a number of layers on the GPU.
    """
    gpus = [gpu for gpu in machine.gpus if gpu.usable]
    room = gpu_budget_bytes(machine.gpus)
    everything = shape.layers + 1
    if not gpus or room <= 0:
        return 0
    whole = planned(everything)
    # Each further GPU has a compute buffer of its own, and layers are whole: one may get a layer more than its part.
    room -= (len(gpus) - 1) * (whole.gpu_compute_bytes + (whole.gpu_weights_bytes + whole.gpu_kv_bytes) // everything)
    if any(gpu.unified for gpu in gpus):  # one memory: all of it has to fit into both limits
        fits = whole.gpu_bytes <= room and (usable is None or whole.total_bytes <= usable)
        return everything if fits else 0
    layers, too_many = 0, everything + 1
    while too_many - layers > 1:
        middle = (layers + too_many) // 2
        layers, too_many = (middle, too_many) if planned(middle).gpu_bytes <= room else (layers, middle)
    if layers < _LEAST_SPLIT_SHARE * shape.layers:
        return 0
    return layers if usable is None or planned(layers).resident_bytes <= usable else 0
