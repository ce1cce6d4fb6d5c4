"""How much faster native kernels are than those of the engine's published package.

Measured with ``python -m benchmarks.kernels`` on two cores of an EPYC with AVX-512 VNNI; other processors
have not been measured.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from phicli.hardware.kernel_variants import worth_building
from phicli.hardware.types import Gain, NativeKernels

PREFILL: Final[Mapping[str, float]] = MappingProxyType({"repacked": 2.1, "Q8": 1.35, "F": 2.9, "BF": 1.0, "": 2.5})
"""Beginning of the quantization's name, or ``repacked`` → speed of prompts; BF16 was not measured."""

DECODE: Final[Mapping[str, float]] = MappingProxyType({"Q8": 0.95, "F": 1.0, "BF": 1.0, "": 1.05})
"""The same → speed of generation without attention, where the memory is the limit."""

CACHE: Final = 4.0
"""Speed of attention in generation, for heads whose length is a multiple of :data:`HEAD_STEP`."""

CACHE_ODD: Final = 0.38
"""The same for other heads (96 in Phi-3-mini): the kernels for AVX-512 take 64 numbers at a time, those for AVX2 32,
and the numbers that are left over one by one (``findings/avx512_slows_heads_of_96.sh``)."""

HEAD_STEP: Final = 64

_MEASURED: Final = ("AVX512F", "AVX512_VNNI")
_ALWAYS: Final = ("AVX2",)


@dataclass(frozen=True, slots=True)
class Speedup:
    """Speeds with native kernels, divided by those of the package: prompts, generation, attention in generation."""

    prefill: float = 1.0
    decode: float = 1.0
    cache: float = 1.0


def speedup(kernels: NativeKernels, name: str, head_length: int) -> Speedup:
    """The gains of ``kernels``; all 1.0 without native kernels, and where they were not measured.

    Args:
        kernels: of the machine.
        name: of the quantization, or ``repacked``.
        head_length: numbers in a head of the model.
    """
    if not is_measured(kernels.instruction_sets):
        return Speedup()
    prefill, decode = (_gain(gains, name) for gains in (PREFILL, DECODE))
    return Speedup(prefill, decode, CACHE_ODD if head_length % HEAD_STEP else CACHE)


def is_measured(sets: tuple[str, ...]) -> bool:
    """Whether the figures here hold for kernels of these instruction sets."""
    return all(name in sets for name in _MEASURED)


def possible_gain(
    sets: Collection[str],
    features: Callable[[], Collection[str]],
    system: str = sys.platform,
    processor: str | None = None,
) -> Gain | None:
    """What ``phi engine build`` would bring on this machine, by the same decision; None where that is nothing.

    Args:
        sets: the instruction sets of the processor.
        features: asks the engine for its own, in llama.cpp's words; none where it does not answer. Only called where
            the processor has more than each engine for x86 needs.
        system: ``sys.platform`` of the machine.
        processor: the kind of processor, as ``platform.machine`` reports it; that of this machine when None.
    """
    processor = platform.machine() if processor is None else processor
    if isinstance(worth_building(system, processor, sets, _ALWAYS), str) or not (own := features()):
        return None
    variants = worth_building(system, processor, sets, own)
    if isinstance(variants, str):
        return None
    gained = variants[0].gains(own)
    return Gain(gained, PREFILL[""], DECODE[""]) if is_measured(gained) else Gain(gained)


def kernels_note(kernels: NativeKernels) -> str:
    """One line on what to do about the kernels; empty where nothing is to be done."""
    gain = kernels.gain
    if kernels.notice or gain is None:
        return kernels.notice
    if gain.prompt_ratio is None:
        sets = ", ".join(gain.instruction_sets)
        return f"native kernels would use {sets} of this processor, which the engine does not use yet: {_COMMAND}"
    return f"native kernels would process prompts about {gain.prompt_ratio:.2g} times as fast: {_COMMAND}"


def head_note(kernels: NativeKernels, head_length: int) -> str:
    """The note about a model whose heads have a length that native kernels are slow at; empty for other models."""
    if speedup(kernels, "", head_length).cache >= 1:
        return ""
    return (
        "native kernels process prompts of this model faster, but generate more slowly when the context is long; for "
        "long conversations: phi engine use wheel"
    )


_COMMAND: Final = "phi engine build"


def _gain(gains: Mapping[str, float], name: str) -> float:
    return next(gain for start, gain in gains.items() if name.startswith(start))
