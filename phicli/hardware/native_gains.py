"""How much faster native kernels are than those of the engine's published package.

Measured with ``python -m benchmarks.kernels`` on two cores of an EPYC with AVX-512 VNNI; nobody has measured other
processors for ``phi``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from phicli.hardware.types import Gain, Machine, NativeKernels

NATIVE_PREFILL: Final[Mapping[str, float]] = MappingProxyType(
    {"repacked": 1.77, "Q8": 1.5, "F": 1.0, "BF": 1.0, "": 2.6}
)
"""Beginning of the quantization's name, or ``repacked`` → speed of prompts with kernels for AVX-512 VNNI, divided by
that of the package with the same layout of weights."""

NATIVE_DECODE: Final = 1.0
"""The same for generation, where the memory is the limit."""

_MEASURED: Final = ("AVX512F", "AVX512_VNNI")
_AVX512: Final = ("AVX512F", "AVX512_VNNI", "AVX512_BF16", "AMX")
_DOT_PRODUCT: Final = ("DOTPROD", "I8MM", "SVE")


def is_measured(sets: tuple[str, ...]) -> bool:
    """Whether the figures here hold for kernels of these instruction sets."""
    return all(name in sets for name in _MEASURED)


def possible_gain(machine: Machine) -> Gain | None:
    """What native kernels would bring on ``machine``; None where its engine's package uses all that the processor has.

    The packages for x86 are built for AVX2, those for Linux on ARM without the dot product, those for macOS for the
    processor.
    """
    sets = machine.cpu.instruction_sets
    if "AVX512F" in sets:
        unused = tuple(name for name in _AVX512 if name in sets)
        return Gain(unused, NATIVE_PREFILL[""], NATIVE_DECODE) if is_measured(sets) else Gain(unused)
    if "AVX_VNNI" in sets:
        return Gain(("AVX_VNNI",))
    if "DOTPROD" in sets and not machine.system.startswith("macOS"):
        return Gain(tuple(name for name in _DOT_PRODUCT if name in sets))
    return None


def kernels_note(kernels: NativeKernels) -> str:
    """What a person can do about the kernels, in one line; empty where there is nothing to do."""
    gain = kernels.gain
    if kernels.notice or gain is None:
        return kernels.notice
    if gain.prompt_ratio is None:
        sets = ", ".join(gain.instruction_sets)
        return f"native kernels would use {sets} of this processor, which the engine's package does not: {_COMMAND}"
    return f"native kernels would process prompts about {gain.prompt_ratio:.2g} times as fast: {_COMMAND}"


_COMMAND: Final = "phi engine build"
