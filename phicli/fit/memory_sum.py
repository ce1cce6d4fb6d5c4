"""What a loaded model takes of the memory, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LIBRARY_BYTES: Final = 34 << 20
"""The libraries that the engine's process and ``phi`` itself map."""


@dataclass(frozen=True, slots=True)
class MemorySum:
    """What a loaded model takes, in bytes.

    The ``gpu_`` fields are the parts on the GPU, the others are everything, wherever it is. Weights are the mapped
    file, which the system can drop and read again; most of the rest is anonymous memory, which it cannot drop:
    adapters, too.
    """

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    repack_bytes: int
    overhead_bytes: int
    gpu_weights_bytes: int = 0
    gpu_kv_bytes: int = 0
    gpu_compute_bytes: int = 0
    adapter_bytes: int = 0
    gpu_adapter_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """The sum of all parts."""
        in_use = self.kv_bytes + self.compute_bytes + self.repack_bytes + self.overhead_bytes
        return self.weights_bytes + self.adapter_bytes + in_use

    @property
    def gpu_bytes(self) -> int:
        """What has to fit into the memory of the GPU."""
        return self.gpu_weights_bytes + self.gpu_kv_bytes + self.gpu_compute_bytes + self.gpu_adapter_bytes

    @property
    def resident_bytes(self) -> int:
        """What has to fit into the main memory."""
        return self.total_bytes - self.gpu_bytes

    @property
    def beside_gpu(self) -> MemorySum:
        """The parts in main memory alone."""
        return MemorySum(
            self.weights_bytes - self.gpu_weights_bytes,
            self.kv_bytes - self.gpu_kv_bytes,
            self.compute_bytes - self.gpu_compute_bytes,
            self.repack_bytes,
            self.overhead_bytes,
            adapter_bytes=self.adapter_bytes - self.gpu_adapter_bytes,
        )

    @property
    def reclaimable_bytes(self) -> int:
        """The part of ``resident_bytes`` that is mapped files: the weights, and the libraries."""
        return self.weights_bytes - self.gpu_weights_bytes + LIBRARY_BYTES

    @property
    def must_have_bytes(self) -> int:
        """The part of ``resident_bytes`` that is anonymous."""
        return self.resident_bytes - self.reclaimable_bytes
