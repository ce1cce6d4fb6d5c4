"""What a person has to know of a machine before an engine runs on it.

Source: the page of xllamacpp on PyPI, and ``xllamacpp.get_system_info()``, which lists what the package for x86 is
built for: AVX, AVX2, F16C, FMA, BMI2. Those for macOS are built for its processors.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from phicli.hardware.gpu import INSTALL_COMMANDS
from phicli.hardware.native_gains import kernels_note
from phicli.hardware.types import Machine

_CUDA, _VULKAN = INSTALL_COMMANDS["CUDA"], INSTALL_COMMANDS["Vulkan"]
_BUILD_NOTES: Final = MappingProxyType(
    {
        "CUDA": f"this GPU needs the CUDA build of the engine: {_CUDA}",
        "Vulkan": f"this GPU needs the Vulkan build of the engine: {_VULKAN}",
        None: f"an NVIDIA GPU needs the CUDA build of the engine: {_CUDA}; AMD and Intel GPUs need the Vulkan build: "
        "replace cu128 with vulkan",
    }
)
"""What drives a GPU (None: unknown) → the build that it needs. The usual build for macOS has Metal."""


def machine_notes(machine: Machine, *, on_gpu: bool = False) -> tuple[str, ...]:
    """What a person has to know of a machine: about its processor, and why a GPU is not used or not seen.

    With ``on_gpu`` a GPU does all the work that matters, so nothing is said of the processor's kernels.
    """
    names: dict[str, list[str]] = {}
    for gpu in machine.gpus:
        if not gpu.usable:
            names.setdefault(gpu.why_not or "no driver", []).append(gpu.name)
    unused = (f"not used: {', '.join(cards)}: {why}" for why, cards in names.items())
    failed = (f"no GPU was found, but {failure}" for failure in machine.failures if not machine.gpus)
    unknown: tuple[str, ...] = ()
    if machine.memory is None:
        why = machine.sources.get("memory", "no source")
        unknown = (f"the memory size is unknown ({why}), so what fits is unknown: add it, e.g. --ram 16G",)
    kernels = () if on_gpu else tuple(filter(None, [kernels_note(machine.kernels)]))
    return (*unknown, *_package_notes(machine), *kernels, *_build_notes(machine), *unused, *failed)


def _build_notes(machine: Machine) -> tuple[str, ...]:
    """Which build of the engine a simulated GPU needs; of this machine's, the installed one was asked."""
    if machine.simulated is None:
        return ()
    apis = dict.fromkeys(gpu.api for gpu in machine.gpus if gpu.usable)
    return tuple(_BUILD_NOTES[api] for api in apis if api in _BUILD_NOTES)


def _package_notes(machine: Machine) -> tuple[str, ...]:
    """What the engine's package and the processor lack of each other; nothing where all is well or unknown."""
    sets = set(machine.cpu.instruction_sets)
    if "SSE4_2" in sets and "AVX2" not in sets:
        return (
            "the engine's published package needs AVX2, which this processor does not have, so it would crash with an "
            "illegal instruction: build xllamacpp from source, for this processor",
        )
    if machine.simulated is not None and "DOTPROD" in sets and not machine.system.startswith(("macOS", "Windows")):
        return (
            "the engine's published package does not use the dot-product instructions of this processor; on that "
            "machine, native kernels would: phi engine build",
        )
    return ()
