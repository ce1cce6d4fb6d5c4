"""The machine that something is planned for: this one, or one that was described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from phicli.engine.starting import ENGINES, EngineChoice, build_of
from phicli.engine.used_kernels import installed_kernels
from phicli.fit.repacking import AVX2_TYPES, Repacked, repacked_by

if TYPE_CHECKING:
    from phicli.hardware.engine_answer import EngineAnswer
    from phicli.hardware.types import Machine


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """A machine described on the command line, as typed; without any of it, this machine is meant."""

    ram: str | None = None
    free: str | None = None
    vram: str | None = None
    cores: int | None = None
    bandwidth: str | None = None
    profile: str | None = None

    @property
    def simulated(self) -> bool:
        """Anything was given."""
        return any(
            one is not None for one in (self.ram, self.free, self.vram, self.cores, self.bandwidth, self.profile)
        )


def machine_of(options: MachineOptions) -> Machine:
    """The machine that was described, else this one, with the speed of its memory and of its arithmetic.

    Raises:
        UsageError: a value makes no sense.
    """
    if options.simulated:
        from phicli.hardware.simulation import simulate

        return simulate(
            ram=options.ram,
            free=options.free,
            vram=options.vram,
            cores=options.cores,
            bandwidth=options.bandwidth,
            profile=options.profile,
        )
    from phicli.hardware.commands import SYSTEM
    from phicli.hardware.engine_answer import ask_engine
    from phicli.hardware.machine import probe
    from phicli.hub.cache import cache_folder

    ask = cache(lambda: ask_engine(SYSTEM))
    return with_kernels(probe(cache=cache_folder(), engine_devices=ask), ask)


def with_kernels(machine: Machine, ask: Callable[[], EngineAnswer]) -> Machine:
    """``machine``, which is this one, with the native kernels that the engine has here, or could have.

    Args:
        machine: this one.
        ask: asks the engine, with the kernels of its package; only called where none were built.
    """
    from phicli.hardware.flops import estimated_flops
    from phicli.hardware.native_gains import possible_gain
    from phicli.hardware.types import NativeKernels

    in_use = installed_kernels()
    if in_use.kernels is None:
        sets = machine.cpu.instruction_sets
        gain = possible_gain(sets, lambda: ask().features) if in_use.missing else None
        return replace(machine, kernels=NativeKernels(gain=gain, notice=in_use.notice))
    flops, words = estimated_flops(machine.cpu, native=True)
    return replace(
        machine,
        kernels=NativeKernels(in_use.kernels.instruction_sets),
        bandwidth=None if machine.bandwidth is None else replace(machine.bandwidth, flops=flops),
        sources=MappingProxyType({**machine.sources, "flops": words}),
    )


def repacked_here(engine: EngineChoice) -> Repacked:
    """What ``engine`` copies here when weights are repacked; where its instruction sets are unknown, as with AVX2.

    Raises:
        NotFoundError: there is no such program.
        EngineError: the program cannot be run, or is not what it should be.
    """
    if ENGINES[engine.name].program is not None:
        from phicli.engine.program_build import sets_in_build

        sets = sets_in_build(build_of(engine.name, engine.program))
    else:
        kernels = installed_kernels().kernels
        sets = () if kernels is None else kernels.instruction_sets
    return repacked_by(sets) if sets else AVX2_TYPES
