"""Describes the machine that runs a model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from phicli.hardware import apple
from phicli.hardware.bandwidth import probe_bandwidth
from phicli.hardware.cards import may_have_gpu
from phicli.hardware.cgroup import ROOT
from phicli.hardware.commands import SYSTEM, Commands
from phicli.hardware.cpu_facts import describe_cpu
from phicli.hardware.disk import disk_at
from phicli.hardware.engine_answer import EngineAnswer, ask_engine
from phicli.hardware.flops import estimated_flops
from phicli.hardware.gpu import GpuFindings, find_gpus
from phicli.hardware.memory import available_memory
from phicli.hardware.system import container_kind, is_wsl, system_name
from phicli.hardware.types import Bandwidth, Cpu, Machine, Memory

Measure = Callable[[Cpu, Memory | None], Bandwidth]


def measure_bandwidth(cpu: Cpu, memory: Memory | None) -> Bandwidth:
    """The probe with the cores and the buffer that suit this machine.

    Raises:
        OSError: the memory or the C library is not to be had.
    """
    available = memory.available_bytes if memory else None
    return probe_bandwidth(cpu.physical_cores, cache_bytes=cpu.last_level_cache_bytes, available_bytes=available)


def probe(
    *,
    cache: Path,
    root: Path = ROOT,
    platform: str = sys.platform,
    engine_devices: Callable[[], EngineAnswer] | None = None,
    run: Commands = SYSTEM,
    measure: Measure = measure_bandwidth,
) -> Machine:
    """This machine. What cannot be found out is None or empty, and ``sources`` says why.

    Args:
        cache: folder of the models; its disk is the one to be told of.
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
        platform: ``sys.platform`` of the machine.
        engine_devices: asks the engine for its devices; in a child process when None. Only called when there is any
            sign of a graphics processor, and then while the memory is measured.
        run: starts programs.
        measure: measures how fast memory is read.
    """
    sources: dict[str, str] = {}
    memory, sources["memory"] = _memory(root, platform, run)
    cpu, sources["cpu"] = describe_cpu(root, platform, run)
    (bandwidth, sources["bandwidth"]), graphics = _side_by_side(
        lambda: _bandwidth(measure, cpu, memory),
        lambda: find_gpus(root, platform, run=run, engine_devices=engine_devices or (lambda: ask_engine(run))),
        graphics=may_have_gpu(root, platform, run),
    )
    disk, sources["disk"] = disk_at(cache)
    container, sources["container"] = container_kind(root) if platform == "linux" else (None, "not Linux")
    sources |= {"gpus": graphics.source, "flops": estimated_flops(cpu)[1]}
    system, wsl = system_name(root, platform), platform == "linux" and is_wsl(root)
    return Machine(
        memory=memory,
        cpu=cpu,
        gpus=graphics.gpus,
        disk=disk,
        bandwidth=bandwidth,
        system=system,
        wsl=wsl,
        container=container,
        sources=MappingProxyType(sources),
        failures=graphics.failures,
    )


def _memory(root: Path, platform: str, run: Commands) -> tuple[Memory | None, str]:
    memory = available_memory(root)
    if memory is None and platform == "darwin":
        memory = apple.memory(run, guess=True)
    if memory is not None:
        return memory, memory.source
    if platform != "linux":
        return None, "psutil denied" if platform == "win32" else "psutil denied, sysctl did not answer"
    return None, "/proc/meminfo cannot be read" if (root / "proc").is_dir() else "no /proc"


def _bandwidth(measure: Measure, cpu: Cpu, memory: Memory | None) -> tuple[Bandwidth | None, str]:
    try:
        measured = measure(cpu, memory)
    except (OSError, MemoryError) as error:
        return None, f"the probe failed: {getattr(error, 'strerror', None) or error}"
    return replace(measured, flops=estimated_flops(cpu)[0]), f"{cpu.physical_cores} threads reading memory"


def _side_by_side(
    bandwidth: Callable[[], tuple[Bandwidth | None, str]], gpus: Callable[[], GpuFindings], *, graphics: bool
) -> tuple[tuple[Bandwidth | None, str], GpuFindings]:
    """Measure the memory while the tools and the engine's process look for graphics processors."""
    if not graphics:
        return bandwidth(), GpuFindings((), "no GPU found in /proc, /sys or /dev, and no nvidia-smi")
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(gpus)
        return bandwidth(), later.result()
