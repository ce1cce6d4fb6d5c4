"""Whole machines, from the files and commands that they show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import machine_fixtures as machines
import machine_tree as tree
import pytest
from recorded_commands import GIB, Recorded, device, engine

from phicli.hardware.commands import Output
from phicli.hardware.engine_answer import EngineAnswer
from phicli.hardware.machine import probe
from phicli.hardware.types import Bandwidth, Cpu, Machine, Memory


def measured(cpu: Cpu, memory: Memory | None) -> Bandwidth:
    return Bandwidth(cpu.physical_cores * 10e9, None, "probe")


def nobody() -> EngineAnswer:
    raise AssertionError("the engine was asked")


def look(
    root: Path, run: Recorded | None = None, answer: EngineAnswer | None = None, platform: str = "linux"
) -> Machine:
    return probe(
        cache=root,
        root=root,
        platform=platform,
        engine_devices=nobody if answer is None else lambda: answer,
        run=run or Recorded(),
        measure=measured,
    )


def test_a_hybrid_laptop(tmp_path: Path) -> None:
    machine = look(machines.laptop(tmp_path), answer=engine())
    assert machine.cpu == Cpu(
        name="12th Gen Intel(R) Core(TM) i7-1260P",
        physical_cores=6,
        logical_cores=8,
        instruction_sets=("SSE4_2", "AVX", "AVX2", "FMA", "F16C", "AVX_VNNI"),
        last_level_cache_bytes=18 << 20,
        clock_hz=4.7e9,
    )
    assert machine.memory == Memory(16 * GIB, 12 * GIB, "/proc/meminfo")
    assert machine.bandwidth == Bandwidth(60e9, 6 * 4.7e9 * 32, "probe")
    assert machine.sources["flops"] == "6 cores x 4.7 GHz x 32 operations per cycle"
    assert machine.system == "Ubuntu 24.04.1 LTS, Linux 6.8.0-45-generic"
    assert (machine.wsl, machine.container, machine.simulated) == (False, None, None)
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.usable, gpu.unified) == ("Intel integrated graphics (0x46a6)", False, True)
    assert gpu.why_not is not None
    assert "no Vulkan" in gpu.why_not


def test_a_server_of_two_sockets_asks_no_engine(tmp_path: Path) -> None:
    machine = look(machines.server(tmp_path))
    assert (machine.cpu.physical_cores, machine.cpu.logical_cores) == (4, 8)
    assert machine.cpu.last_level_cache_bytes == 96 << 20
    assert machine.cpu.clock_hz == 2593.905e6
    assert {"AVX512F", "AVX512_VNNI", "AMX"} <= set(machine.cpu.instruction_sets)
    assert machine.gpus == ()
    assert machine.sources["gpus"].startswith("no GPU found")


def test_a_raspberry_pi(tmp_path: Path) -> None:
    machine = look(machines.raspberry_pi(tmp_path), answer=engine())
    assert machine.cpu.name == "Raspberry Pi 5 Model B Rev 1.0 (Cortex-A76)"
    assert machine.cpu.instruction_sets == ("NEON", "FP16", "DOTPROD")
    assert machine.cpu.clock_hz == 2.4e9
    assert machine.cpu.last_level_cache_bytes is None
    assert machine.bandwidth is not None
    assert machine.bandwidth.flops == 4 * 2.4e9 * 8
    assert machine.gpus == ()


def test_a_v2_container_in_kubernetes(tmp_path: Path) -> None:
    root = machines.linux(tmp_path, machines.XEON, ["0", "1", "2", "3"])
    files = {"memory.max": f"{4 * GIB}", "memory.current": f"{GIB}", "memory.stat": "", "cpu.max": "200000 100000"}
    tree.v2(root, "/", files)
    tree.write(root, {"var/run/secrets/kubernetes.io/serviceaccount/token": "x", ".dockerenv": ""})
    machine = look(root)
    assert machine.memory == Memory(4 * GIB, 3 * GIB, "container limit (cgroup v2 memory.max)", limited=True)
    assert (machine.cpu.physical_cores, machine.cpu.logical_cores) == (2, 4)
    assert machine.container == "kubernetes"
    assert machine.sources["memory"] == "container limit (cgroup v2 memory.max)"


def test_a_v1_container(tmp_path: Path) -> None:
    root = machines.linux(tmp_path, machines.XEON, ["0", "1"])
    files = {"docker/a1/memory.limit_in_bytes": f"{2 * GIB}", "docker/a1/memory.usage_in_bytes": "0"}
    machine = look(tree.v1(root, "memory", "memory", "/docker/a1", files))
    assert machine.memory == Memory(2 * GIB, 2 * GIB, "container limit (cgroup v1 memory.limit_in_bytes)", limited=True)
    assert (machine.container, machine.sources["container"]) == ("docker", "/proc/self/cgroup")


def test_wsl(tmp_path: Path) -> None:
    run = Recorded(nvidia_smi=machines.NVIDIA_ONE)
    machine = look(machines.wsl(tmp_path), run, engine(device("CUDA0", "NVIDIA GeForce RTX 3060", 12, 11)))
    assert machine.wsl
    assert machine.container is None
    assert [(gpu.api, gpu.usable) for gpu in machine.gpus] == [("CUDA", True)]


def test_a_macbook(tmp_path: Path) -> None:
    run = Recorded(sysctl=machines.SYSCTL_M2, vm_stat=machines.VM_STAT)
    machine = look(tmp_path, run, engine(device("MTL0", "Apple M2", 10.66, 10.66)), "darwin")
    assert machine.cpu == Cpu("Apple M2", 8, 8, ("NEON", "DOTPROD", "I8MM", "BF16"), 16 << 20, 3.5e9)
    assert machine.memory == Memory(16 * GIB, 4 * GIB, "sysctl, vm_stat")
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.api, gpu.usable, gpu.unified) == ("Apple M2", "Metal", True, True)
    assert gpu.total_bytes == int(10.66 * GIB)
    assert machine.bandwidth is not None
    assert machine.bandwidth.flops == 8 * 3.5e9 * 32


def test_a_macbook_whose_engine_fails(tmp_path: Path) -> None:
    limited = machines.SYSCTL_M2.replace("wired_limit_mb: 0", "wired_limit_mb: 12288")
    for text, total, source in (
        (machines.SYSCTL_M2, int(16 * GIB * 2 / 3), "share that macOS allows"),
        (limited, 12 * GIB, "iogpu.wired_limit_mb"),
    ):
        (gpu,) = look(tmp_path, Recorded(sysctl=text), EngineAnswer(failure="it crashed"), "darwin").gpus
        assert (gpu.usable, gpu.total_bytes) == (False, total)
        assert gpu.why_not == "unknown whether the engine can use it: it crashed"
        assert source in gpu.source


def test_an_intel_mac(tmp_path: Path) -> None:
    machine = look(tmp_path, Recorded(sysctl=machines.SYSCTL_INTEL_MAC), engine(), "darwin")
    assert (machine.cpu.physical_cores, machine.cpu.logical_cores) == (6, 12)
    assert machine.cpu.instruction_sets == ("SSE4_2", "AVX", "AVX2")
    assert (machine.cpu.last_level_cache_bytes, machine.cpu.clock_hz) == (9 << 20, 4.1e9)
    assert machine.gpus == ()
    assert machine.memory == Memory(
        16 * GIB, 8 * GIB, "sysctl; half of it is assumed to be available, because vm_stat did not answer"
    )


def test_a_mac_that_says_nothing(tmp_path: Path) -> None:
    machine = look(tmp_path, Recorded(), engine(), "darwin")
    assert (machine.memory, machine.gpus) == (None, ())
    assert machine.sources["memory"] == "psutil denied, sysctl did not answer"
    assert machine.sources["cpu"] == "sysctl did not answer"
    assert "sysctl did not answer" in machine.sources["gpus"]


def test_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", "Intel64 Family 6 Model 154 Stepping 3, GenuineIntel")
    machine = look(tmp_path, Recorded(nvidia_smi=machines.NVIDIA_ONE), engine(), "win32")
    assert machine.cpu.name == "Intel64 Family 6 Model 154 Stepping 3, GenuineIntel"
    assert machine.sources["memory"] == "psutil denied"
    assert machine.container is None
    assert [gpu.usable for gpu in machine.gpus] == [False]
    monkeypatch.delenv("PROCESSOR_IDENTIFIER")
    assert look(tmp_path, Recorded(), engine(), "win32").cpu.name == "unknown processor"


def test_no_proc_at_all(tmp_path: Path) -> None:
    machine = look(tmp_path)
    assert machine.memory is None
    assert machine.sources["memory"] == "no /proc"
    assert machine.sources["cpu"] == "no /proc"
    assert machine.cpu.name == "unknown processor"
    assert machine.cpu.physical_cores == machine.cpu.logical_cores == os.cpu_count()
    assert machine.bandwidth is not None
    assert machine.bandwidth.flops == machine.cpu.physical_cores * 2.5e9 * 8
    assert "(assumed)" in machine.sources["flops"]
    assert machine.system == "Linux"


def test_garbage_everywhere(tmp_path: Path) -> None:
    run = Recorded(nvidia_smi=Output("\0\n,,,\n,1,2\nx,y,z\n[]\n", None))
    machine = look(machines.garbage(tmp_path), run, EngineAnswer(failure="no list"))
    assert machine.memory is None
    assert machine.sources["memory"] == "/proc/meminfo cannot be read"
    assert machine.sources["cpu"] == "/proc/cpuinfo has no name"
    assert machine.cpu.physical_cores >= 1
    assert (machine.cpu.last_level_cache_bytes, machine.cpu.clock_hz) == (None, None)
    assert not any(gpu.usable for gpu in machine.gpus)
    assert "nvidia-smi names no card" in machine.sources["gpus"]


def test_a_probe_that_fails_leaves_the_rest(tmp_path: Path) -> None:
    for error, reason in (
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (MemoryError("all"), "all"),
    ):

        def failing(cpu: Cpu, memory: Memory | None, error: Exception = error) -> Bandwidth:
            raise error

        machine = probe(
            cache=tmp_path, root=machines.server(tmp_path), platform="linux", run=Recorded(), measure=failing
        )
        assert machine.bandwidth is None
        assert machine.sources["bandwidth"] == f"the probe failed: {reason}"
        assert machine.memory is not None


def test_every_part_says_where_it_came_from(tmp_path: Path) -> None:
    machine = look(machines.server(tmp_path))
    assert set(machine.sources) == {"memory", "cpu", "gpus", "bandwidth", "flops", "disk", "container"}
    assert all(machine.sources.values())


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="other systems need psutil and programs")
def test_this_machine_without_heavy_modules(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom phicli.hardware.machine import probe\n"
        "early = [m for m in ('psutil', 'subprocess', 'ctypes', 'concurrent.futures', 'tomllib') if m in sys.modules]\n"
        "machine = probe(cache=Path(sys.argv[1]) / 'not/yet')\n"
        "assert machine.disk.free_bytes > 0 and machine.bandwidth.bytes_per_s > 1e8, machine\n"
        "assert machine.bandwidth.flops > 1e9 and machine.cpu.physical_cores >= 1 and machine.system, machine\n"
        "sys.exit(bool(early or 'psutil' in sys.modules or 'xllamacpp' in sys.modules))\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(arguments, cwd=Path(__file__).parents[2], check=False).returncode == 0
