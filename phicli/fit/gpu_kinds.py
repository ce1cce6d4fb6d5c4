"""How fast kinds of GPUs run llama.cpp, fitted to figures that others have published: we have measured none of them.

A token takes ``bytes / (bandwidth · READ_SHARE) + layers · layer_ms``, a token of a prompt two operations a parameter
at ``flops_per_byte`` operations for each byte of the bandwidth. ``python -m benchmarks.published`` prints what fits
the figures in ``benchmarks/published.toml``, and how far the estimate is from each of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from phicli.hardware.types import Gpu

READ_SHARE: Final = 0.88
"""Of the bandwidth that the maker promises, reached while weights are read; the same for all kinds."""

PUBLISHED_ERROR: Final = 0.40
"""Relative half-width of the range of a speed from published figures: of each class at least 86 % lie within."""


@dataclass(frozen=True, slots=True)
class GpuKind:
    """GPUs that are alike.

    ``layer_ms`` is what a layer costs beside reading it (starting its programs, and the arithmetic that reading does
    not hide). ``flops_per_byte`` are the operations of prompt processing per byte of the maker's bandwidth: within a
    kind, faster memory goes with more arithmetic. ``names`` finds the kind in a lowercase name.
    """

    label: str
    names: str
    layer_ms: float
    flops_per_byte: float


_APPLE_MS: Final = 0.18
_NVIDIA_MS: Final = 0.05
_AMD_MS: Final = 0.10

APPLE_M5: Final = GpuKind("Apple M5 and later", r"\bapple m(5|6|7|8|9)\b", _APPLE_MS, 68.0)
APPLE: Final = GpuKind("Apple M1 to M4", r"\bapple\b", _APPLE_MS, 20.5)
ADA: Final = GpuKind(
    "NVIDIA Ada and later", r"\brtx [45]0\d\d\b|\b(ada|blackwell)\b|\bnvidia (l4|l40s?|h[12]00)\b", _NVIDIA_MS, 112.0
)
AMPERE: Final = GpuKind("NVIDIA Ampere", r"\brtx (30\d\d|a\d{4})\b|\bnvidia a\d{1,3}g?\b", _NVIDIA_MS, 70.0)
NVIDIA: Final = GpuKind("NVIDIA before Ampere", r"\b(nvidia|geforce|quadro|tesla)\b", _NVIDIA_MS, 40.0)
RDNA3: Final = GpuKind(
    "AMD RDNA 3 and later", r"\brx [79]\d{3}\b|\bw7\d00\b|\b[78]\d0m\b|\b80[456]0s\b|\br9\d00d?\b", _AMD_MS, 46.0
)
AMD: Final = GpuKind("AMD before RDNA 3, and Instinct", r"\b(amd|radeon)\b", _AMD_MS, 20.0)
OTHER: Final = GpuKind("other GPUs, taken for AMD RDNA 3", "", _AMD_MS, 46.0)
KINDS: Final = (APPLE_M5, APPLE, ADA, AMPERE, NVIDIA, RDNA3, AMD, OTHER)


def kind_of(gpu: Gpu) -> GpuKind:
    """The first kind that the name of ``gpu`` says; :data:`OTHER` where it says none."""
    name = re.sub(r"\((r|tm)\)", "", gpu.name.lower())
    return next(kind for kind in KINDS if re.search(kind.names, name))
