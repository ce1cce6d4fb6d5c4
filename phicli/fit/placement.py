"""Where a model would run on a machine, and whether the memory for it is there: GPU, both, or processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phicli.fit.memory import KV_TYPE_BYTES, MIB, MemorySum, plan_memory, usable_bytes
from phicli.fit.shape import ModelShape
from phicli.hardware.types import Gpu, Machine

BATCH_TOKENS: Final = 128
"""``n_ubatch`` of every load here, on a GPU too."""

_GPU_RUNTIME_BYTES: Final = 300 * MIB
_KEEP_FREE_BYTES: Final = 512 * MIB
_KEEP_FREE_SHARE: Final = 0.05
_LEAST_SPLIT_SHARE: Final = 0.25
"""With fewer of the layers on the GPU the processor's speed is all one gets, and the transfers come on top."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A load that was planned: ``gpu_layers`` counts the output matrix as one layer, as llama.cpp does.

    ``missing_bytes`` is 0 when it fits. Weights are repacked where that still fits, and only on the processor.
    ``device_bytes`` is what the GPU takes of the sum.
    """

    context_tokens: int
    kv_type: str
    memory: MemorySum
    gpu_layers: int = 0
    missing_bytes: int = 0
    device_bytes: int = 0

    @property
    def fits(self) -> bool:
        """Nothing is missing."""
        return self.missing_bytes <= 0


Placer = Callable[[ModelShape, Machine, int, str], Placement]


def place(shape: ModelShape, machine: Machine, context_tokens: int, kv_type: str) -> Placement:
    """The best place for ``shape`` on ``machine``: all on the GPU, else shared by layers, else the processor.

    A machine that does not tell its memory is taken to have enough.
    """
    needed = plan_memory(
        shape, context_tokens=context_tokens, kv_type_bytes=KV_TYPE_BYTES[kv_type], batch_tokens=BATCH_TOKENS
    )
    usable = None if machine.memory is None else usable_bytes(machine.memory)
    layers = _layers_on_gpu(shape, needed, machine, usable)
    if layers:
        share = min(layers / (shape.layers + 1), 1.0)
        device = int((needed.weights_bytes + needed.kv_bytes) * share) + needed.compute_bytes + _GPU_RUNTIME_BYTES
        return Placement(context_tokens, kv_type, needed, gpu_layers=layers, device_bytes=device)
    missing = 0 if usable is None else max(needed.total_bytes - usable, 0)
    repacked = plan_memory(
        shape,
        context_tokens=context_tokens,
        kv_type_bytes=KV_TYPE_BYTES[kv_type],
        batch_tokens=BATCH_TOKENS,
        repack=True,
    )
    chosen = repacked if usable is None or repacked.total_bytes <= usable else needed
    return Placement(context_tokens, kv_type, chosen, missing_bytes=missing)


def gpu_budget_bytes(gpus: tuple[Gpu, ...]) -> int:
    """Bytes that may be planned with on the GPUs that the engine can use.

    What is free (else the total) less max(512 MiB, 5 %) each, which the desktop and the driver take.
    """
    budget = 0
    for gpu in gpus:
        free = gpu.free_bytes if gpu.free_bytes is not None else gpu.total_bytes
        if gpu.usable and free:
            kept = max(_KEEP_FREE_BYTES, int((gpu.total_bytes or free) * _KEEP_FREE_SHARE))
            budget += max(free - kept, 0)
    return budget


def _layers_on_gpu(shape: ModelShape, needed: MemorySum, machine: Machine, usable: int | None) -> int:
    """How many layers go to the GPU; 0 when it is not worth it or what is left does not fit into main memory."""
    gpus = [gpu for gpu in machine.gpus if gpu.usable]
    room = gpu_budget_bytes(machine.gpus) - needed.compute_bytes - _GPU_RUNTIME_BYTES * len(gpus)
    everything = needed.weights_bytes + needed.kv_bytes
    if not gpus or room <= 0:
        return 0
    unified = any(gpu.unified for gpu in gpus)
    if unified:  # one memory: all of it has to fit into both limits
        fits = room >= everything and (usable is None or needed.total_bytes <= usable)
        return shape.layers + 1 if fits else 0
    layers = min(int(room / (everything / (shape.layers + 1))), shape.layers + 1)
    if layers < _LEAST_SPLIT_SHARE * shape.layers:
        return 0
    left = everything * (1 - layers / (shape.layers + 1)) + needed.overhead_bytes + needed.compute_bytes
    return layers if usable is None or left <= usable else 0
