"""Which weights the engine copies into the layout that a processor likes best, and how large the copies are.

Source: ``ggml_repack_get_optimal_repack_type`` in llama.cpp's ``ggml-cpu/repack.cpp``, which asks what the engine's
kernels were *built* for. xllamacpp's packages for x86 are built for AVX2 (on a processor with AVX-512 their log shows
that the copy of Q2_K, which builds for AVX-512 make, is not made), those for Linux on ARM for plain ARMv8 without the
dot product, those for macOS for the processor. Native kernels are built for the processor. Those with AMX copy into a
layout of their own first (``ggml-cpu/amx``), which is larger. Rows that are no multiple of 8 are not copied; no Phi
model has such.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import Final

from phicli.hardware.types import Machine

Repacked = Mapping[str, float]
"""Types of tensors that are copied → size of the copy, divided by that of the tensor."""

AVX2_TYPES: Final[Repacked] = MappingProxyType({"Q4_0": 1.0, "Q4_K": 1.0, "IQ4_NL": 1.0})
"""The types of tensors that are copied on a processor with AVX2."""

_AVX512: Final[Repacked] = MappingProxyType({**AVX2_TYPES, "Q2_K": 1.0})
_AMX: Final[Repacked] = MappingProxyType(
    {
        **_AVX512,
        "Q4_1": 1.0, "Q4_K": 148 / 144, "Q5_K": 180 / 176, "Q6_K": 1.0, "Q8_0": 38 / 34, "IQ4_XS": 138 / 136,
    }
)  # fmt: skip
"""Source: ``get_row_size`` in ``ggml-cpu/amx/mmq.cpp``."""

_DOT_PRODUCT: Final[Repacked] = MappingProxyType({**AVX2_TYPES, "Q5_K": 1.0, "Q6_K": 1.0, "Q8_0": 1.0})
_NEON: Final[Repacked] = MappingProxyType({"IQ4_NL": 1.0})
_NONE: Final[Repacked] = MappingProxyType({})


def repacked_types(machine: Machine) -> Repacked:
    """The types that are copied on ``machine``: by its native kernels, else by those of the engine's published package.

    AVX2 where the machine is silent.
    """
    if machine.kernels.instruction_sets:
        return repacked_by(machine.kernels.instruction_sets)
    sets = machine.cpu.instruction_sets
    if "NEON" in sets:
        return repacked_by(sets) if machine.system.startswith("macOS") else _NEON
    return AVX2_TYPES if "AVX2" in sets or not sets else _NONE


def repacked_by(kernels: Container[str]) -> Repacked:
    """The types that kernels copy which were built for these instruction sets."""
    if "DOTPROD" in kernels:
        return _DOT_PRODUCT
    if "NEON" in kernels:
        return _NEON
    if "AMX" in kernels:
        return _AMX
    if "AVX512F" in kernels:
        return _AVX512
    return AVX2_TYPES if "AVX2" in kernels else _NONE
