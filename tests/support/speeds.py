"""A processor, a graphics processor and candidates of known numbers, for tests of how fast a model is."""

from __future__ import annotations

from phicli.catalog.load import catalog
from phicli.catalog.types import Variant
from phicli.fit.calibration import Conditions
from phicli.fit.memory_sum import MemorySum
from phicli.fit.placement import Placement
from phicli.fit.shape import ModelShape
from phicli.fit.types import Candidate
from phicli.hardware.types import Bandwidth, Cpu, Gpu, Machine

GB = 1e9
CPU = Cpu("Some CPU 9000", 4, 8, ("AVX2",))
MACHINE = Machine(None, CPU, bandwidth=Bandwidth(40 * GB, 200 * GB, "probe"))
HERE = Conditions("Some CPU 9000", "xllamacpp 1", 4)

GPU = Gpu("Fast GPU", "CUDA", 24 << 30, 24 << 30, usable=True, source="", bandwidth_bytes_per_s=900 * GB)


def variant(name: str) -> Variant:
    return next(variant for variant in catalog().variants if variant.id == name)


def candidate(
    name: str = "phi-4-mini", quant: str = "Q8_0", weights: int = 4_080_000_000, repackable: int = 0
) -> Candidate:
    dims = variant(name).dimensions
    assert dims is not None
    shape = ModelShape(
        weights, repackable, dims.layers, dims.hidden, dims.feed_forward or 0, dims.heads, dims.kv_heads * dims.layers,
        dims.head_size, dims.head_size, dims.vocabulary, 131_072,
    )  # fmt: skip
    return Candidate(variant(name), quant, shape, "published")


def placed(context: int = 4096, *, kv_type: str = "f16", gpu_layers: int = 0, repack: int = 0) -> Placement:
    return Placement(context, kv_type, MemorySum(0, 0, 0, repack, 0), gpu_layers=gpu_layers)


MINI_HEAD = 200_064 * 3072 * 34 / 32
MINI_LAYER_PARAMETERS = 32 * (3072 * 3072 * 2 + 3072 * 2048 + 3 * 3072 * 8192)
