"""What the probes found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from phicli.hardware.available import Memory

__all__ = ["Bandwidth", "Cpu", "Disk", "Gpu", "Machine", "Memory"]


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor as this process may use it.

    ``physical_cores`` are within affinity and container quota. ``instruction_sets`` are those that matter for speed,
    in capitals (``SSE4_2``, ``AVX2``, ``AVX512F``, ``AVX512_VNNI``, ``AMX``, ``NEON``, ``DOTPROD``, ``I8MM``, ``SVE``).
    ``last_level_cache_bytes`` is the sum over the caches of all usable cores. ``clock_hz`` is the highest clock of one
    core that the system tells, not a measured one; ``nominal_clock`` when it is the one that a virtual machine tells,
    which hides the highest. ``efficiency_cores`` are the slower ones among the ``physical_cores`` of a hybrid Intel
    processor.
    """

    name: str
    physical_cores: int
    logical_cores: int
    instruction_sets: tuple[str, ...] = ()
    last_level_cache_bytes: int | None = None
    clock_hz: float | None = None
    nominal_clock: bool = False
    efficiency_cores: int = 0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor.

    ``api`` is what would drive it (``CUDA``, ``Metal``, ``Vulkan``, ``ROCm``, None when unknown). ``usable`` when the
    engine that is installed here sees it; otherwise ``why_not`` says what is missing, in words. ``unified`` when it
    shares main memory. Sizes in bytes, None where nobody tells. ``bandwidth_bytes_per_s`` is what the maker promises.
    """

    name: str
    api: str | None
    total_bytes: int | None
    free_bytes: int | None
    usable: bool
    source: str
    why_not: str | None = None
    unified: bool = False
    bandwidth_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that the cache is on, in bytes."""

    path: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """How fast the processor reads memory, and how fast it computes; ``flops`` are multiply-adds times two per second.

    ``source`` is ``probe`` (measured now), ``profile`` (of a simulated machine), ``given``, or ``assumed``.
    """

    bytes_per_s: float
    flops: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Gain:
    """What native kernels would bring on a processor: instruction sets that the engine's package does not use.

    The ratios are their speed divided by that of the package, for prompts and for generation; None where nobody has
    measured it on such a processor.
    """

    instruction_sets: tuple[str, ...]
    prompt_ratio: float | None = None
    decode_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class NativeKernels:
    """The engine's kernels that were built for the processor of a machine.

    ``instruction_sets`` are those that it computes with, in the words of :class:`Cpu`; empty where it uses the kernels
    of its published package. ``gain`` is what a build would bring; None where it would bring nothing, and where one was
    made. ``notice`` says why kernels that were built are not used, and what to do.
    """

    instruction_sets: tuple[str, ...] = ()
    gain: Gain | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that runs a model.

    ``sources`` says in words where each field came from. ``simulated`` names the profile or says that numbers were
    given on the command line; None for this machine. ``failures`` say in words what could not be found out about
    its graphics. ``kernels`` are the native kernels of the engine there.
    """

    memory: Memory | None
    cpu: Cpu
    gpus: tuple[Gpu, ...] = ()
    disk: Disk | None = None
    bandwidth: Bandwidth | None = None
    system: str = ""
    wsl: bool = False
    container: str | None = None
    simulated: str | None = None
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    failures: tuple[str, ...] = ()
    kernels: NativeKernels = NativeKernels()
