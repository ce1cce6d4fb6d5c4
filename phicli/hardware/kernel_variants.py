"""ggml's variants of its CPU kernels: what a processor needs to run each, and which one is the best for it.

The names and their features are those of llama.cpp's ``ggml/src/CMakeLists.txt`` (``ggml_add_cpu_backend_variant``),
the flags those of ``ggml-cpu/CMakeLists.txt``, the order that of the scores in ``ggml-cpu/arch/*/cpu-feats.cpp``. Only
x86 on Linux has been tried. The others are written from the same sources.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Feature:
    """An instruction set that a variant is compiled for.

    ``needs`` is its name in :class:`phicli.hardware.types.Cpu`, ``shown`` the one in llama.cpp's system information
    (empty where that does not report it), ``flags`` what a compiler needs for it (GCC and Clang).
    """

    needs: str
    shown: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of the kernels: ggml's name of it and its features beyond those that each variant has."""

    name: str
    features: tuple[Feature, ...]

    @property
    def target(self) -> str:
        """The name of ggml's CMake target, and of the module without its ending."""
        return f"ggml-cpu-{self.name}"

    @property
    def instruction_sets(self) -> tuple[str, ...]:
        """Its features in the words of :class:`phicli.hardware.types.Cpu`."""
        return tuple(feature.needs for feature in self.features)

    @property
    def flags(self) -> tuple[str, ...]:
        """What a compiler must accept to compile it."""
        return tuple(flag for feature in self.features for flag in feature.flags)

    def gains(self, shown: Collection[str]) -> tuple[str, ...]:
        """Its features, by name, that are not in ``shown``: the system information of other kernels."""
        return tuple(feature.needs for feature in self.features if feature.shown and feature.shown not in shown)

    def missing(self, shown: Collection[str]) -> tuple[str, ...]:
        """The names in llama.cpp's system information that it promises and ``shown`` lacks."""
        return tuple(feature.shown for feature in self.features if feature.shown and feature.shown not in shown)


_AVX2: Final = Feature("AVX2", "AVX2", ("-mavx2", "-mfma", "-mf16c", "-mbmi2"))
_AVX_VNNI: Final = Feature("AVX_VNNI", "AVX_VNNI", ("-mavxvnni",))
_AVX512: Final = Feature("AVX512F", "AVX512", ("-mavx512f", "-mavx512cd", "-mavx512vl", "-mavx512dq", "-mavx512bw"))
_VBMI: Final = Feature("AVX512_VBMI", "AVX512_VBMI", ("-mavx512vbmi",))
_VNNI: Final = Feature("AVX512_VNNI", "AVX512_VNNI", ("-mavx512vnni",))
_BF16: Final = Feature("AVX512_BF16", "AVX512_BF16", ("-mavx512bf16",))
_AMX: Final = Feature("AMX", "AMX_INT8", ("-mamx-tile", "-mamx-int8"))
_DOTPROD, _FP16 = Feature("DOTPROD", "DOTPROD"), Feature("FP16", "FP16_VA")
_I8MM, _SVE, _SVE2, _SME = (
    Feature("I8MM", "MATMUL_INT8"), Feature("SVE", "SVE"), Feature("SVE2", ""), Feature("SME", "SME"),
)  # fmt: skip

_X86: Final = (
    Variant("haswell", (_AVX2,)),
    Variant("alderlake", (_AVX2, _AVX_VNNI)),
    Variant("skylakex", (_AVX2, _AVX512)),
    Variant("cannonlake", (_AVX2, _AVX512, _VBMI)),
    Variant("cascadelake", (_AVX2, _AVX512, _VNNI)),
    Variant("icelake", (_AVX2, _AVX512, _VBMI, _VNNI)),
    Variant("cooperlake", (_AVX2, _AVX512, _VNNI, _BF16)),
    Variant("zen4", (_AVX2, _AVX512, _VBMI, _VNNI, _BF16)),
    Variant("sapphirerapids", (_AVX2, _AVX512, _VBMI, _VNNI, _BF16, _AMX)),
)
_ARM: Final = (
    Variant("armv8.2_1", (_DOTPROD,)),
    Variant("armv8.2_2", (_DOTPROD, _FP16)),
    Variant("armv8.2_3", (_DOTPROD, _FP16, _SVE)),
    Variant("armv8.6_1", (_DOTPROD, _FP16, _SVE, _I8MM)),
    Variant("armv8.6_2", (_DOTPROD, _FP16, _SVE, _I8MM, _SVE2)),
    Variant("armv9.2_1", (_DOTPROD, _FP16, _SVE, _I8MM, _SME)),
    Variant("armv9.2_2", (_DOTPROD, _FP16, _SVE, _I8MM, _SVE2, _SME)),
)
_APPLE: Final = (
    Variant("apple_m1", (_DOTPROD,)),
    Variant("apple_m2_m3", (_DOTPROD, _I8MM)),
    Variant("apple_m4", (_DOTPROD, _I8MM, _SME)),
)
_X86_NAMES: Final = ("x86_64", "amd64")
_ARM_NAMES: Final = ("aarch64", "arm64")
_OF: Final[Mapping[tuple[str, str], Sequence[Variant]]] = MappingProxyType(
    {
        **{("linux", name): _X86 for name in _X86_NAMES},
        **{("linux", name): _ARM for name in _ARM_NAMES},
        **{("darwin", name): _X86 for name in _X86_NAMES},
        **{("darwin", name): _APPLE for name in _ARM_NAMES},
    }
)
TRIED: Final = tuple(("linux", name) for name in _X86_NAMES)
"""The systems, as ``sys.platform`` and the machine's name in lower case, on which native kernels have been built."""


def variants_for(platform: str, machine: str, instruction_sets: Collection[str]) -> tuple[Variant, ...]:
    """The variants that a processor can run, the best one first; none for a system without variants.

    Args:
        platform: ``sys.platform``.
        machine: the kind of processor, as ``platform.machine`` reports it.
        instruction_sets: those of the processor, in the words of :class:`phicli.hardware.types.Cpu`.
    """
    known = _OF.get((platform, machine.lower()), ())
    return tuple(one for one in reversed(known) if all(name in instruction_sets for name in one.instruction_sets))


def worth_building(
    platform: str, machine: str, instruction_sets: Collection[str], shown: Collection[str]
) -> tuple[Variant, ...] | str:
    """The variants that a processor runs and that use more than the engine's own kernels, best first; else the reason.

    Args:
        platform: as for :func:`variants_for`.
        machine: as for :func:`variants_for`.
        instruction_sets: as for :func:`variants_for`.
        shown: the system information of the engine's own kernels, in llama.cpp's words.
    """
    runnable = variants_for(platform, machine, instruction_sets)
    better = tuple(variant for variant in runnable if variant.gains(shown))
    if better:
        return better
    if not runnable:
        return f"llama.cpp has no other kernels for this kind of processor ({platform}, {machine})"
    return f"the kernels of the wheel already use {', '.join(runnable[0].instruction_sets)}"
