"""The estimated grade of speed: what follows from bandwidth and arithmetic, before anything was run.

A token on a processor takes ``bytes / (READ_SHARE · probe) + UNPACK_SHARE · arithmetic + depth · attention + fixed``:
the bytes of the active weights stream through at nearly what the probe reads, and weights that are not in the layout
which the processor likes best cost time to unpack beside. Prefill is arithmetic alone, two operations a parameter.

The constants are first values, from whole-model runs of Phi-4-mini Q4_K_M on two idle cores of an EPYC with AVX-512
(8.5 to 10 tokens/s plain, 11 to 12 repacked, 30 to 36 in prefill, a probe of 33 GB/s); those of attention and of Q8 are
rougher. ``python -m benchmarks.fit_speed`` prints what they are on a machine; Q5_K_M and Q6_K take no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from phicli.fit.costs import Costs
from phicli.fit.placement import Placement
from phicli.fit.types import Candidate
from phicli.fit.work import Work, work_of
from phicli.hardware.flops import estimated_flops
from phicli.hardware.types import Gpu, Machine

READ_SHARE: Final = 0.87
"""Of the probe's bandwidth, reached by the engine."""

UNPACK_SHARE: Final[Mapping[str, float]] = MappingProxyType({"repacked": 0.0, "Q8": 0.0, "F": 0.0, "BF": 0.0, "": 0.6})
"""Beginning of the quantisation's name → part of the prefill's time a parameter that decoding takes beside reading."""

PREFILL_SHARE: Final = 1.3
"""Of the processor's 32-bit operations a second (``phicli.hardware.flops``), reached in prefill: much of it is done on
8-bit numbers, of which more go into a register, and some time is lost elsewhere."""

DECODE_ATTENTION_SHARE: Final = 0.08
"""Of the rate of prefill, reached by attention when one token at a time is decoded."""

PREFILL_ATTENTION_SHARE: Final = 0.4
"""The same when a prompt is read."""

_FIXED_MS: Final = 1.0
_PROMPT_MS: Final = 20.0
_ASSUMED_BANDWIDTH: Final = 20e9  # two channels of DDR4-2666, the slower half of the laptops of today
_ASSUMED_GPU_BANDWIDTH: Final = 200e9
_GPU_SHARE: Final = 0.6
_GPU_FLOPS_PER_BYTE: Final = 70.0
_UNIFIED_FLOPS_PER_BYTE: Final = 20.0
_GPU_FIXED_MS: Final = 1.5

ESTIMATED_ERROR: Final = 0.30
ASSUMED_ERROR: Final = 0.50
"""Relative half-widths of the ranges: with a bandwidth that was probed or told, and with one that is assumed."""


def estimated_costs(candidate: Candidate, machine: Machine, placement: Placement) -> Costs:
    """What ``candidate`` costs on ``machine`` in ``placement``; layers on the GPU at the GPU's speed."""
    work = work_of(candidate, placement.kv_type)
    gpus = [gpu for gpu in machine.gpus if gpu.usable]
    layers, head = _on_gpu(placement.gpu_layers, work.layers) if gpus else (0.0, 0.0)
    repacked = placement.memory.repack_bytes > 0
    here = _cpu_costs(work, machine, 1 - layers, 1 - head, unpack_share(candidate.quant, repacked=repacked))
    if not layers:
        return here
    there = _gpu_costs(work, gpus, layers, head)
    return Costs(
        token=here.token + there.token,
        depth_token=here.depth_token + there.depth_token,
        prompt=here.prompt + there.prompt,
        prompt_token=here.prompt_token + there.prompt_token,
        prompt_depth_token=here.prompt_depth_token + there.prompt_depth_token,
        method="estimated",
        error=max(here.error if layers < 1 else 0.0, there.error),
    )


def unpack_share(quant: str, *, repacked: bool) -> float:
    """The constant of :data:`UNPACK_SHARE` for a quantisation."""
    name = "repacked" if repacked else quant.upper()
    return next(share for start, share in UNPACK_SHARE.items() if name.startswith(start))


def _cpu_costs(work: Work, machine: Machine, layers: float, head: float, unpack: float) -> Costs:
    probe = machine.bandwidth
    bandwidth = (probe.bytes_per_s if probe else _ASSUMED_BANDWIDTH) * READ_SHARE
    flops = ((probe.flops if probe else None) or estimated_flops(machine.cpu)[0]) * PREFILL_SHARE
    read = (layers * work.layer_bytes + head * work.head_bytes) / bandwidth
    arithmetic = 2 * (layers * work.layer_parameters + head * work.head_parameters) / flops
    attention = work.kv_bytes_per_token / bandwidth + work.attention_flops_per_token / (flops * DECODE_ATTENTION_SHARE)
    return Costs(
        token=1000 * (read + unpack * arithmetic) + _FIXED_MS,
        depth_token=1000 * layers * attention,
        prompt=_PROMPT_MS,
        prompt_token=1000 * layers * 2 * work.layer_parameters / flops,
        prompt_depth_token=1000 * layers * work.attention_flops_per_token / (flops * PREFILL_ATTENTION_SHARE),
        method="estimated",
        error=ESTIMATED_ERROR if probe else ASSUMED_ERROR,
    )


def _gpu_costs(work: Work, gpus: Sequence[Gpu], layers: float, head: float) -> Costs:
    """Of several GPUs the slowest counts: they work one after the other."""
    slowest = min(gpus, key=lambda gpu: gpu.bandwidth_bytes_per_s or _ASSUMED_GPU_BANDWIDTH)
    told = slowest.bandwidth_bytes_per_s
    bandwidth = (told or _ASSUMED_GPU_BANDWIDTH) * _GPU_SHARE
    flops = (told or _ASSUMED_GPU_BANDWIDTH) * (_UNIFIED_FLOPS_PER_BYTE if slowest.unified else _GPU_FLOPS_PER_BYTE)
    read = (layers * work.layer_bytes + head * work.head_bytes) / bandwidth
    return Costs(
        token=1000 * read + _GPU_FIXED_MS,
        depth_token=1000 * layers * work.kv_bytes_per_token / bandwidth,
        prompt=0.0,
        prompt_token=1000 * layers * 2 * work.layer_parameters / flops,
        prompt_depth_token=1000 * layers * work.attention_flops_per_token / flops,
        method="estimated",
        error=ESTIMATED_ERROR if told else ASSUMED_ERROR,
    )


def _on_gpu(gpu_layers: int, layers: int) -> tuple[float, float]:
    """The share of the layers, and of the output matrix, on the GPU: llama.cpp counts it as the last layer."""
    if gpu_layers < 0 or gpu_layers > layers:
        return 1.0, 1.0
    return gpu_layers / max(layers, 1), 0.0
