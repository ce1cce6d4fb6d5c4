"""Which weights the engine copies into the layout that a processor likes best.

Source: ``ggml_repack_get_optimal_repack_type`` in llama.cpp's ``ggml-cpu/repack.cpp``, which asks what the engine was
*built* for. xllamacpp's packages for x86 are built for AVX2 (on a processor with AVX-512 their log shows that the copy
of Q2_K, which builds for AVX-512 make, is not made), those for Linux on ARM for plain ARMv8 without the dot product,
those for macOS for the processor. Rows that are no multiple of 8 are not copied; no Phi model has such.
"""

from __future__ import annotations

from typing import Final

from phicli.hardware.types import Machine

AVX2_TYPES: Final = frozenset({"Q4_0", "Q4_K", "IQ4_NL"})
"""The types of tensors that are copied on a processor with AVX2."""

_DOT_PRODUCT: Final = AVX2_TYPES | {"Q5_K", "Q6_K", "Q8_0"}
_NEON: Final = frozenset({"IQ4_NL"})


def repacked_types(machine: Machine) -> frozenset[str]:
    """The types that are copied on ``machine`` by the engine's published package; AVX2 where the machine is silent."""
    sets = machine.cpu.instruction_sets
    if "NEON" in sets:
        return _DOT_PRODUCT if "DOTPROD" in sets and machine.system.startswith("macOS") else _NEON
    return AVX2_TYPES if "AVX2" in sets or not sets else frozenset()
