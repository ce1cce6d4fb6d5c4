"""The estimated grade of speed: what follows from bandwidth and arithmetic, before anything was run.

A token on a processor takes ``max(bytes / rate, arithmetic) + depth · cache / cache rate + fixed``. The bytes of the
active weights stream through at what the cores can take in, ``cores · clock · CORE_BYTES_PER_CYCLE``, or at
``READ_SHARE`` of what the probe reads where that is less; the arithmetic is that of a token of a prompt, two operations
a parameter. Prefill is arithmetic alone. The cache goes through far slower than weights do.

``python -m benchmarks.fit_speed`` prints what the constants are on a machine. These are from two idle cores of an EPYC
of 2.6 GHz, Phi-4-mini and Phi-3-mini in Q4_K_M, Q8_0 and F16; Q5_K_M and Q6_K take no part in it. Two cores do not use
up what memory gives, so ``READ_SHARE`` is not from there, but from figures that others have published for 21
processors, as are ``SUSTAINED_SHARE`` and all that is known of GPUs (:mod:`phicli.fit.gpu_kinds`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from phicli.fit.costs import Costs
from phicli.fit.gpu_kinds import PUBLISHED_ERROR, GpuKind, kind_of
from phicli.fit.gpu_kinds import READ_SHARE as GPU_READ_SHARE
from phicli.fit.placement import Placement
from phicli.fit.types import Candidate
from phicli.fit.work import Work, work_of
from phicli.hardware.flops import USUAL_CLOCK_HZ, estimated_flops
from phicli.hardware.native_gains import Speedup, speedup
from phicli.hardware.types import Cpu, Gpu, Machine

READ_SHARE: Final = 0.8
"""Of the probe's bandwidth, reached by the engine when the cores can take in more."""

CORE_BYTES_PER_CYCLE: Final[Mapping[str, float]] = MappingProxyType({"F": 6.0, "BF": 6.0, "": 4.9})
"""Beginning of the quantization's name → bytes of weights that one core takes in per cycle of its clock."""

PREFILL_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {"repacked": 1.2, "Q8": 0.78, "F": 0.47, "BF": 0.47, "": 1.36}
)
"""The same → of the processor's 32-bit operations per second (``phicli.hardware.flops``), reached in prefill: much of
it is done on 8-bit numbers, of which more go into a register, and some time is lost elsewhere."""

CACHE_BYTES_PER_CYCLE: Final = 1.1
"""Bytes of an f16 cache that one core attends to per cycle when a token is decoded; a smaller type is no faster. The
cost of a token falls with the depth: layers and whole models at a depth of 1k say 0.8 to 0.9, whole models at 4k 1.1 to
1.4 (docs/accuracy.md). This is between them."""

PREFILL_ATTENTION_SHARE: Final = 0.25
"""Of the processor's 32-bit operations per second, reached by attention when a prompt is read."""

SUSTAINED_SHARE: Final[Mapping[str, float]] = MappingProxyType({"NEON": 0.88, "": 0.46})
"""Instruction set → of the operations at the highest clock of one core, left in prefill beside a virtual machine of the
same clock. The shares above are from such a machine: what it tells is its nominal clock, and its cores run faster.
With all cores busy other processors run well below the clock that they tell, and older ones multiply 8-bit numbers at
half the rate. From published figures."""

_FIXED_MS: Final = 1.0
_PROMPT_MS: Final = 20.0
_ASSUMED_BANDWIDTH: Final = 20e9  # two channels of DDR4-2666, the slower half of the laptops of today
_ASSUMED_GPU_BANDWIDTH: Final = 200e9

ESTIMATED_ERROR: Final = 0.30
ASSUMED_ERROR: Final = 0.50
"""Relative half-widths of the ranges: with a bandwidth that was probed or told, and with one that is assumed."""


def estimated_costs(candidate: Candidate, machine: Machine, placement: Placement) -> Costs:
    """What ``candidate`` costs on ``machine`` in ``placement``; layers on the GPU at the GPU's speed."""
    work = work_of(candidate, placement.kv_type)
    gpus = [gpu for gpu in machine.gpus if gpu.usable]
    layers, head = _on_gpu(placement.gpu_layers, work.layers) if gpus else (0.0, 0.0)
    there = _slowest(work, gpus, machine, layers, head) if head else None
    if there is not None and layers == head == 1:
        return there
    name = "repacked" if placement.memory.repack_bytes > 0 else candidate.quant.upper()
    gain = speedup(machine.kernels, name, candidate.shape.key_length)
    here = _cpu_costs(work, machine, 1 - layers, 1 - head, name, gain)
    if there is None:
        return here
    return Costs(
        token=here.token + there.token,
        depth_token=here.depth_token + there.depth_token,
        prompt=here.prompt + there.prompt,
        prompt_token=here.prompt_token + there.prompt_token,
        prompt_depth_token=here.prompt_depth_token + there.prompt_depth_token,
        method="estimated",
        error=max(here.error, there.error),
        published=True,
        least=here.least + there.least,
    )


def share_of(shares: Mapping[str, float], name: str) -> float:
    """The value of ``shares`` for the name of a quantization, or for ``repacked``."""
    return next(share for start, share in shares.items() if name.startswith(start))


def sustained_share(cpu: Cpu) -> float:
    """Of the operations at the clock that ``cpu`` tells, reached with all cores busy (:data:`SUSTAINED_SHARE`)."""
    if cpu.clock_hz is None or cpu.nominal_clock:
        return 1.0
    return SUSTAINED_SHARE["NEON" if "NEON" in cpu.instruction_sets else ""]


def _cpu_costs(work: Work, machine: Machine, layers: float, head: float, name: str, gain: Speedup) -> Costs:
    probe, cpu = machine.bandwidth, machine.cpu
    cycles = cpu.physical_cores * (cpu.clock_hz or USUAL_CLOCK_HZ)
    memory = (probe.bytes_per_s if probe else _ASSUMED_BANDWIDTH) * READ_SHARE
    sustained = sustained_share(cpu)
    machine_flops = ((probe.flops if probe else None) or estimated_flops(cpu)[0]) * sustained
    flops = machine_flops * share_of(PREFILL_SHARE, name) * gain.prefill
    rate = min(memory, cycles * share_of(CORE_BYTES_PER_CYCLE, name) * gain.decode)
    weights = layers * work.layer_bytes + head * work.head_bytes
    arithmetic = 2 * (layers * work.layer_parameters + head * work.head_parameters) / flops
    attention = work.kv_elements_per_token * 2 / min(memory, cycles * CACHE_BYTES_PER_CYCLE * gain.cache)
    published = sustained != 1 or "NEON" in cpu.instruction_sets
    known = PUBLISHED_ERROR if published else ESTIMATED_ERROR
    return Costs(
        token=1000 * max(weights / rate, arithmetic) + _FIXED_MS,
        depth_token=1000 * layers * attention,
        prompt=_PROMPT_MS,
        prompt_token=1000 * layers * 2 * work.layer_parameters / flops,
        prompt_depth_token=1000 * layers * work.attention_flops_per_token / (machine_flops * PREFILL_ATTENTION_SHARE),
        method="estimated",
        error=known if probe else ASSUMED_ERROR,
        published=published,
        least=1000 * weights / probe.bytes_per_s if probe else 0.0,
    )


def _slowest(work: Work, gpus: Sequence[Gpu], machine: Machine, layers: float, head: float) -> Costs:
    """Of several GPUs the slowest counts: they work one after the other."""
    each = [gpu_costs(work, kind_of(gpu), _rate(gpu, machine), layers=layers, head=head) for gpu in gpus]
    return max(each, key=lambda costs: costs.token)


def _rate(gpu: Gpu, machine: Machine) -> float | None:
    """What the maker promises; of graphics that share main memory at least what the processor reads."""
    probe = machine.bandwidth if gpu.unified else None
    return gpu.bandwidth_bytes_per_s or (probe.bytes_per_s if probe else None)


def gpu_costs(work: Work, kind: GpuKind, bandwidth: float | None, *, layers: float = 1, head: float = 1) -> Costs:
    """What shares of the layers and of the output matrix cost on a GPU of ``kind`` and ``bandwidth`` (bytes/s)."""
    promised = bandwidth or _ASSUMED_GPU_BANDWIDTH
    rate, flops = promised * GPU_READ_SHARE, promised * kind.flops_per_byte
    weights = layers * work.layer_bytes + head * work.head_bytes
    return Costs(
        token=1000 * weights / rate + layers * work.layers * kind.layer_ms,
        depth_token=1000 * layers * work.kv_bytes_per_token / rate,
        prompt=0.0,
        prompt_token=1000 * layers * 2 * work.layer_parameters / flops,
        prompt_depth_token=1000 * layers * work.attention_flops_per_token / flops,
        method="estimated",
        error=PUBLISHED_ERROR if bandwidth else ASSUMED_ERROR,
        published=True,
        least=1000 * weights / bandwidth if bandwidth else 0.0,
    )


def _on_gpu(gpu_layers: int, layers: int) -> tuple[float, float]:
    """The share of the layers, and of the output matrix, on the GPU: it is counted as a layer, and goes first."""
    if gpu_layers < 0 or gpu_layers > layers:
        return 1.0, 1.0
    return max(gpu_layers - 1, 0) / max(layers, 1), float(gpu_layers > 0)
