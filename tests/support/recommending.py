"""Machines and candidates made of nothing but numbers, for tests of what is recommended."""

from __future__ import annotations

from phicli.catalog.load import catalog
from phicli.catalog.types import Variant
from phicli.fit.assessing import SpeedOf
from phicli.fit.placement import Placement
from phicli.fit.recommend import recommend
from phicli.fit.shape import ModelShape
from phicli.fit.types import Candidate, Pick, Recommendation, Request, Speed
from phicli.hardware.types import Bandwidth, Cpu, Gpu, Machine, Memory

GIB = 1 << 30

GB = 10**9
_SHARE_OF_BANDWIDTH = 0.75


def machine(
    ram_gib: float, *, bandwidth: float = 40 * GB, vram_gib: float = 0, used_gib: float = 0, unified: bool = False
) -> Machine:
    """``ram_gib`` of memory of which ``used_gib`` are taken, and a graphics processor with ``vram_gib``."""
    memory = Memory(int(ram_gib * GIB), int((ram_gib - used_gib) * GIB), "a test")
    gpu = Gpu("a GPU", "CUDA", int(vram_gib * GIB), int(vram_gib * GIB), True, "a test", unified=unified)
    return Machine(
        memory=memory,
        cpu=Cpu("a processor", 8, 16),
        gpus=(gpu,) if vram_gib else (),
        bandwidth=Bandwidth(bandwidth, None, "given"),
        simulated="a test",
    )


def shape_of_variant(variant: Variant, weights_bytes: int) -> ModelShape:
    """The shape of ``variant`` by the catalogue, with weights of that size."""
    dimensions = variant.dimensions
    assert dimensions is not None
    return ModelShape(
        weights_bytes=weights_bytes,
        repackable_bytes=weights_bytes // 2,
        layers=dimensions.layers,
        embedding=dimensions.hidden,
        feed_forward=dimensions.feed_forward or 0,
        heads=dimensions.heads,
        kv_heads_total=dimensions.kv_heads * dimensions.layers,
        key_length=dimensions.head_size,
        value_length=dimensions.head_size,
        vocabulary=dimensions.vocabulary,
        trained_context_tokens=variant.context_tokens,
    )


def all_candidates(*installed: str) -> tuple[Candidate, ...]:
    """The first file of every quantisation whose size the catalogue knows; ``installed`` are ``variant:QUANT``."""
    found: dict[str, Candidate] = {}
    for variant in catalog().variants:
        for file in (file for source in variant.sources for file in source.files):
            name = f"{variant.id}:{file.quant}"
            weights = file.size_bytes or file.size_approx_bytes
            if variant.runs_here and variant.dimensions and weights and name not in found:
                shape = shape_of_variant(variant, weights)
                found[name] = Candidate(variant, file.quant, shape, "published", name in installed)
    return tuple(found.values())


def speed_on(here: Machine) -> SpeedOf:
    """A speed model of bandwidth alone; layers on the graphics processor count a twentieth."""
    assert here.bandwidth is not None
    rate = here.bandwidth.bytes_per_s * _SHARE_OF_BANDWIDTH

    def speed_of(candidate: Candidate, placed: Placement) -> Speed:
        variant, shape = candidate.variant, candidate.shape
        active = (variant.active_parameters or variant.parameters) / variant.parameters
        share = placed.gpu_layers / (shape.layers + 1)
        weighs = 1 - share * 0.95
        weights, cache = shape.weights_bytes * active, placed.memory.kv_bytes
        tps = rate / (weights * weighs)
        deep = rate / ((weights + cache) * weighs)
        return Speed(tps, tps * 0.8, tps * 1.2, deep, tps * 5, 100 / tps, placed.context_tokens / tps / 5, "estimated")

    return speed_of


def recommended(here: Machine, request: Request | None = None, *installed: str) -> Recommendation:
    """The recommendation for ``here``."""
    return recommend(catalog(), all_candidates(*installed), here, request or Request(), speed_on(here))


def pick(found: Recommendation, role: str = "best") -> Pick | None:
    """The pick in that role."""
    return next((one for one in found.picks if one.role == role), None)


def name_of(one: Pick | None) -> str | None:
    """``phi-4-mini:Q4_K_M``."""
    return None if one is None else f"{one.assessment.candidate.variant.id}:{one.assessment.candidate.quant}"
