"""Simulated machines: from values on the command line, and from profiles of common ones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.errors import UsageError
from phicli.hardware.apple import usual_graphics_bytes
from phicli.hardware.flops import estimated_flops
from phicli.hardware.sizes import parse_rate, parse_size, parse_size_or_none
from phicli.hardware.types import Bandwidth, Cpu, Gpu, Machine, Memory

DEFAULT_PROFILE: Final = "laptop-16gb"
_GIB: Final = 1 << 30
_MIB: Final = 1 << 20
_MOST_CORES: Final = 4096
_SYSTEM_BYTES: Final = 4 * _GIB
_SYSTEM_SHARE: Final = 7 / 16
"""What a system and a browser take of a laptop, and the most of a small one: as in the profiles of 8 and 16 GB."""
_DESKTOP_BYTES: Final = int(0.8 * _GIB)
_DESKTOP_SHARE: Final = 0.1
"""What a desktop takes of a graphics card, as in the profile with an RTX 3060, and the most of a small one."""
_GPU_RATE_PER_GIB: Final = 25e9  # cards of 8 to 24 GB have 18 to 42 GB/s for each of them (RTX 4060 Ti to 4090)


def profile_names() -> tuple[str, ...]:
    """The names that ``--machine`` takes."""
    return tuple(_profiles())


def simulate(
    *,
    ram: str | None = None,
    free: str | None = None,
    vram: str | None = None,
    cores: int | None = None,
    bandwidth: str | None = None,
    profile: str | None = None,
) -> Machine:
    """The machine that was described. What is not given comes from the profile, without one from a usual laptop.

    Nothing is probed. Of ``ram`` the system and a browser take their part, as in the profile or as on a usual laptop;
    ``free`` says instead what they leave. Without a profile there is a graphics card only when ``vram`` is given.

    Args:
        ram: main memory such as ``16G``.
        free: what of it is free, such as ``6G``; without ``ram`` that is all there is.
        vram: memory of one graphics card such as ``8G``, in place of those of a profile; ``0`` and ``none`` mean none.
        cores: physical cores.
        bandwidth: what the cores together read from main memory, such as ``60GB/s``.
        profile: one of :func:`profile_names`.

    Raises:
        UsageError: a value makes no sense, or the profile does not exist.
    """
    name, facts = _profile(DEFAULT_PROFILE if profile is None else profile)
    machine = _machine(name, facts)
    if profile is None:
        unknown = replace(machine.cpu, name=f"assumed: {machine.cpu.name}")
        machine = replace(machine, cpu=unknown, gpus=(), system="", simulated="values on the command line")
    machine, given = _with_numbers(machine, Numbers(ram, free, vram, cores, bandwidth), name if profile else None)
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


def _with_numbers(machine: Machine, typed: Numbers, profile: str | None) -> tuple[Machine, dict[str, str]]:
    """The machine with what was given on the command line, and for each part by which option."""
    given: dict[str, str] = {}
    if typed.ram is not None or typed.free is not None:
        machine, given["memory"] = _with_memory(machine, typed.ram, typed.free, profile)
    if typed.vram is not None:
        machine, given["gpus"] = _with_card(machine, typed.vram)
    if typed.cores is not None:
        machine, given["cpu"] = _with_cores(machine, typed.cores), "--cores"
    if typed.bandwidth is not None:
        rate = Bandwidth(parse_rate(typed.bandwidth, "--bandwidth"), None, "given")
        machine, given["bandwidth"] = replace(machine, bandwidth=rate), "--bandwidth"
    return machine, given


def _with_memory(machine: Machine, ram: str | None, free: str | None, profile: str | None) -> tuple[Machine, str]:
    before = machine.memory
    assert before is not None  # noqa: S101 (every profile has some)
    left = None if free is None else parse_size(free, "--free")
    size = parse_size(ram, "--ram") if ram is not None else before.total_bytes if profile else left or 0
    if left is not None and left > size:
        hint = "name both sizes, for example --ram 16G --free 6G"
        raise UsageError(f"--free {free} is more than the memory of the machine", hint)
    shared = usual_graphics_bytes(size)  # the profiles with graphics that share main memory are those of Macs
    gpus = tuple(replace(gpu, total_bytes=shared, free_bytes=shared) if gpu.unified else gpu for gpu in machine.gpus)
    if left is not None:
        return replace(machine, memory=Memory(size, left, "given"), gpus=gpus), "--free"
    used = before.total_bytes - before.available_bytes if profile else _SYSTEM_BYTES
    memory = Memory(size, size - min(used, int(size * (1 / 2 if profile else _SYSTEM_SHARE))), "given")
    used_as = f"the profile {profile}" if profile else "a typical laptop"
    return replace(machine, memory=memory, gpus=gpus), f"--ram, less what {used_as} uses; --free sets the free memory"


def _with_card(machine: Machine, vram: str) -> tuple[Machine, str]:
    size = parse_size_or_none(vram, "--vram")
    if not size:
        return replace(machine, gpus=()), "--vram"
    rate = size / _GIB * _GPU_RATE_PER_GIB
    first = next((gpu for gpu in machine.gpus if not gpu.unified), None)
    if first is not None and first.bandwidth_bytes_per_s is not None:
        rate = first.bandwidth_bytes_per_s
    name = f"{first.name}, other memory" if first else "simulated GPU"
    free = size - min(_DESKTOP_BYTES, int(size * _DESKTOP_SHARE))
    card = Gpu(name, first.api if first else None, size, free, True, "given", bandwidth_bytes_per_s=rate)
    return replace(machine, gpus=(card,)), "--vram, less what a desktop uses; the bandwidth is assumed"


def _with_cores(machine: Machine, cores: int) -> Machine:
    if not 1 <= cores <= _MOST_CORES:
        raise UsageError(
            f"--cores {cores} is not a valid number of cores", "give a whole number from 1, for example --cores 8"
        )
    per_core = max(1, machine.cpu.logical_cores // machine.cpu.physical_cores)
    cpu = replace(machine.cpu, physical_cores=cores, logical_cores=cores * per_core, efficiency_cores=0)
    return replace(machine, cpu=cpu)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What was typed of a machine, each as in :func:`simulate`."""

    ram: str | None
    free: str | None
    vram: str | None
    cores: int | None
    bandwidth: str | None


@cache
def _profiles() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("profiles.toml").read_text("utf-8"))


def require_profile(name: str) -> None:
    """Return if there is a profile of that name.

    Raises:
        UsageError: there is none; the hint has the closest one.
    """
    _profile(name)


def _profile(name: str) -> tuple[str, Mapping[str, Any]]:
    """The name and the facts of the profile that ``name`` means; case and separators do not matter."""
    squashed = {_squash(known): known for known in _profiles()}
    known = squashed.get(_squash(name))
    if known is not None:
        return known, _profiles()[known]
    from difflib import get_close_matches

    near = get_close_matches(_squash(name), squashed, 1)
    meant = f"did you mean --machine {squashed[near[0]]}? " if near else ""
    raise UsageError(f"unknown machine profile: '{name}'", f"{meant}the profiles are {', '.join(_profiles())}")


def _squash(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


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
            nominal_clock=cpu.get("nominal_clock", False),
            efficiency_cores=cpu.get("efficiency_cores", 0),
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
        bandwidth_bytes_per_s=facts["gb_per_s"] * 1e9,
    )
