"""The machine that something is planned for: this one, or one that was described."""

from __future__ import annotations

from dataclasses import dataclass

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
    from phicli.hardware.machine import probe
    from phicli.hub.cache import cache_folder

    return probe(cache=cache_folder())
