"""Simulated machines: from values on the command line, and from profiles of common ones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.errors import UsageError
from phicli.hardware.flops import estimated_flops
from phicli.hardware.sizes import parse_rate, parse_size
from phicli.hardware.types import Bandwidth, Cpu, Gpu, Machine, Memory

DEFAULT_PROFILE: Final = "laptop-16gb"
_GIB: Final = 1 << 30
_MIB: Final = 1 << 20
_MOST_CORES: Final = 4096
_GPU_RATE_PER_GIB: Final = 25e9  # cards of 8 to 24 GB reach 18 to 42 GB/s for each of them (RTX 4060 Ti to 4090)


def profile_names() -> tuple[str, ...]:
    """The names that ``--machine`` takes."""
    return tuple(_profiles())


def simulate(
    *,
    ram: str | None = None,
    vram: str | None = None,
    cores: int | None = None,
    bandwidth: str | None = None,
    profile: str | None = None,
) -> Machine:
    """The machine that was described. What is not given comes from the profile, without one from a usual laptop.

    Nothing is probed. Memory that is given with ``ram`` and without a profile is all there to use; a profile keeps
    what its system and a browser take. Without a profile there is a graphics card only when ``vram`` is given.

    Args:
        ram: main memory such as ``16G``.
        vram: memory of one graphics card such as ``8G``; in a profile it takes the place of its cards.
        cores: physical cores.
        bandwidth: what the cores together read from main memory, such as ``60GB/s``.
        profile: one of :func:`profile_names`.

    Raises:
        UsageError: a value makes no sense, or the profile does not exist.
    """
    name = DEFAULT_PROFILE if profile is None else profile
    machine = _machine(name, _profile(name))
    if profile is None:
        unknown = replace(machine.cpu, name=f"assumed: {machine.cpu.name}")
        machine = replace(machine, cpu=unknown, gpus=(), system="", simulated="values on the command line")
    machine, given = _with_numbers(machine, ram, vram, cores, bandwidth, profile)
    flops, given["flops"] = estimated_flops(machine.cpu)
    if machine.bandwidth is not None:
        assumed = profile is None and bandwidth is None
        source = "assumed" if assumed else machine.bandwidth.source
        machine = replace(machine, bandwidth=replace(machine.bandwidth, flops=flops, source=source))
    usual = f"the profile {name}" if profile else f"assumed: {name}"
    sources = {part: given.get(part, usual) for part in ("memory", "cpu", "gpus", "bandwidth", "flops")}
    if profile is None and vram is None:
        sources["gpus"] = "not given"
    return replace(machine, sources=MappingProxyType(sources))


def _with_numbers(
    machine: Machine, ram: str | None, vram: str | None, cores: int | None, bandwidth: str | None, profile: str | None
) -> tuple[Machine, dict[str, str]]:
    """The machine with what was given on the command line, and for each part by which option."""
    given: dict[str, str] = {}
    if ram is not None:
        machine = _with_memory(machine, parse_size(ram, "--ram"), all_free=profile is None)
        given["memory"] = "--ram, all of it free" if profile is None else f"--ram, used as in the profile {profile}"
    if vram is not None:
        machine, given["gpus"] = _with_card(machine, parse_size(vram, "--vram")), "--vram, its bandwidth assumed"
    if cores is not None:
        machine, given["cpu"] = _with_cores(machine, cores), "--cores"
    if bandwidth is not None:
        rate = Bandwidth(parse_rate(bandwidth, "--bandwidth"), None, "given")
        machine, given["bandwidth"] = replace(machine, bandwidth=rate), "--bandwidth"
    return machine, given


def _with_memory(machine: Machine, size: int, *, all_free: bool) -> Machine:
    before = machine.memory
    if before is None or all_free:
        return replace(machine, memory=Memory(size, size, "given"))
    used = min(before.total_bytes - before.available_bytes, size // 2)
    scale = size / before.total_bytes  # graphics that share main memory hold the same share of another amount
    gpus = tuple(_scaled(gpu, scale) if gpu.unified else gpu for gpu in machine.gpus)
    return replace(machine, memory=Memory(size, size - used, "given"), gpus=gpus)


def _scaled(gpu: Gpu, scale: float) -> Gpu:
    size = int((gpu.total_bytes or 0) * scale)
    return replace(gpu, total_bytes=size, free_bytes=size)


def _with_card(machine: Machine, size: int) -> Machine:
    rate = size / _GIB * _GPU_RATE_PER_GIB
    first = next((gpu for gpu in machine.gpus if not gpu.unified), None)
    if first is not None and first.bandwidth_bytes_per_s is not None:
        rate = first.bandwidth_bytes_per_s
    name = f"{first.name}, other memory" if first else "simulated GPU"
    card = Gpu(name, first.api if first else None, size, size, True, "given", bandwidth_bytes_per_s=rate)
    return replace(machine, gpus=(card,))


def _with_cores(machine: Machine, cores: int) -> Machine:
    if not 1 <= cores <= _MOST_CORES:
        raise UsageError(
            f"--cores {cores} is not a valid number of cores", "give a whole number from 1, for example --cores 8"
        )
    per_core = max(1, machine.cpu.logical_cores // machine.cpu.physical_cores)
    return replace(machine, cpu=replace(machine.cpu, physical_cores=cores, logical_cores=cores * per_core))


@cache
def _profiles() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("profiles.toml").read_text("utf-8"))


def require_profile(name: str) -> None:
    """Return if there is a profile of that name.

    Raises:
        UsageError: there is none; the hint has the closest one.
    """
    _profile(name)


def _profile(name: str) -> Mapping[str, Any]:
    profiles = _profiles()
    if name in profiles:
        return profiles[name]
    from difflib import get_close_matches

    near = get_close_matches(name, profiles, 1)
    meant = f"did you mean --machine {near[0]}? " if near else ""
    raise UsageError(f"unknown machine profile: '{name}'", f"{meant}the profiles are {', '.join(profiles)}")


def _machine(name: str, facts: Mapping[str, Any]) -> Machine:
    memory, cpu = facts["memory"], facts["cpu"]
    total = int(memory["gib"] * _GIB)
    rate = memory["theoretical_gb_per_s"] * memory["fraction"] * 1e9
    return Machine(
        memory=Memory(total, total - int(memory["used_gib"] * _GIB), f"profile {name}"),
        cpu=Cpu(
            name=cpu["name"],
            physical_cores=cpu["cores"],
            logical_cores=cpu["threads"],
            instruction_sets=tuple(cpu["instruction_sets"]),
            last_level_cache_bytes=int(cpu["cache_mib"] * _MIB),
            clock_hz=cpu["clock_ghz"] * 1e9,
        ),
        gpus=tuple(_gpu(gpu, name) for gpu in facts.get("gpu", ())),
        bandwidth=Bandwidth(rate, None, "profile"),
        system=facts["system"],
        container=facts.get("container"),
        simulated=name,
    )


def _gpu(facts: Mapping[str, Any], profile: str) -> Gpu:
    total = int(facts["gib"] * _GIB)
    return Gpu(
        name=facts["name"],
        api=facts["api"],
        total_bytes=total,
        free_bytes=total - int(facts["used_gib"] * _GIB),
        usable=True,
        source=f"profile {profile}",
        unified=facts.get("unified", False),
        bandwidth_bytes_per_s=facts["theoretical_gb_per_s"] * facts["fraction"] * 1e9,
    )
