from __future__ import annotations

from pathlib import Path

import machine_fixtures as machines
import machine_tree as tree
import pytest
from recorded_commands import Recorded

from phicli.hardware.cpu import usable_processors
from phicli.hardware.cpu_facts import describe_cpu
from phicli.hardware.flops import estimated_flops
from phicli.hardware.types import Cpu


def arm(implementer: str, part: str, features: str = "fp asimd") -> str:
    return f"processor\t: 0\nFeatures\t: {features}\nCPU implementer\t: {implementer}\nCPU part\t: {part}\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (machines.XEON, "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"),
        ("model name :   AMD   EPYC  \n", "AMD EPYC"),
        (machines.PI_5, "Raspberry Pi 5 Model B Rev 1.0 (Cortex-A76)"),
        (arm("0x41", "0xd0c"), "Neoverse-N1"),
        (arm("0x41", "0xD40"), "Neoverse-V1"),
        (arm("0x61", "0x022"), "Apple M1"),
        (arm("0x99", "0x001"), "unknown processor"),
        (arm("0x41", "0xd08") + "model name: ARMv7 Processor rev 3 (v7l)\nModel: Raspberry Pi 4 Model B Rev 1.2\n",
         "Raspberry Pi 4 Model B Rev 1.2 (Cortex-A72)"),
        ("", "unknown processor"),
    ],
)  # fmt: skip
def test_names(tmp_path: Path, text: str, name: str) -> None:
    root = tree.write(tmp_path, {"proc/cpuinfo": text})
    assert describe_cpu(root, "linux", Recorded(), [0])[0].name == name


def test_the_board_names_an_unknown_core(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": arm("0x99", "0x001"), "proc/device-tree/model": "NVIDIA Jetson Orin\0"}
    assert describe_cpu(tree.write(tmp_path, files), "linux", Recorded(), [0])[0].name == "NVIDIA Jetson Orin"


def test_only_usable_processors_count(tmp_path: Path) -> None:
    root = machines.server(tmp_path)
    cpu, _ = describe_cpu(root, "linux", Recorded(), [0, 4])
    assert (cpu.physical_cores, cpu.logical_cores, cpu.last_level_cache_bytes) == (1, 2, 48 << 20)
    laptop = machines.laptop(tmp_path / "laptop")
    assert describe_cpu(laptop, "linux", Recorded(), [6, 7])[0].clock_hz == 3.4e9


@pytest.mark.parametrize(
    ("status", "present", "numbers"),
    [("0-3,8", "0-15", {0, 1, 2, 3, 8}),
     ("", "0-1", {0, 1}), ("x", "0", None), ("5", "", {5}), ("9-99999999", "", None)],
)  # fmt: skip
def test_processors_that_may_be_used(tmp_path: Path, status: str, present: str, numbers: set[int] | None) -> None:
    files = {"proc/self/status": f"Cpus_allowed_list:\t{status}\n", "sys/devices/system/cpu/present": present + "\n"}
    found = usable_processors(tree.write(tmp_path, files))
    assert found == numbers if numbers else len(found) >= 1


def test_caches_that_are_not_for_data_or_make_no_sense(tmp_path: Path) -> None:
    root = machines.linux(tmp_path, machines.XEON, ["0"])
    assert describe_cpu(root, "linux", Recorded())[0].last_level_cache_bytes is None
    where = "sys/devices/system/cpu/cpu0/cache/index{}/{}"
    for index, (level, size, kind) in enumerate(
        [("1", "32K", "Data"), ("2", "1M", "Unified"), ("3", "big", "Unified"), ("4", "64K", "Instruction")]
    ):
        facts = {"level": level, "size": size, "type": kind}
        tree.write(root, {where.format(index, name): text for name, text in facts.items()})
    assert describe_cpu(root, "linux", Recorded())[0].last_level_cache_bytes == 1 << 20


def test_an_engine_built_for_an_arm_processor_uses_its_dot_product() -> None:
    for name, per_cycle in (("Cortex-A76", 16), ("Neoverse-V1", 32)):
        cpu = Cpu(name, 4, 4, ("NEON", "DOTPROD"), clock_hz=2e9)
        assert estimated_flops(cpu, native=True)[0] == 4 * 2e9 * per_cycle == 2 * estimated_flops(cpu)[0]


@pytest.mark.parametrize(
    ("usable", "quota", "cores", "slow"),
    [
        (range(8), "max 100000", 6, 4),
        (range(4), "max 100000", 2, 0),
        (range(4, 8), "max 100000", 4, 4),
        (range(8), "200000 100000", 2, 0),
    ],
)
def test_efficiency_cores_of_a_hybrid_processor(
    tmp_path: Path, usable: range, quota: str, cores: int, slow: int
) -> None:
    """Two cores of two threads and four slow ones; a quota of two processors is used on the fast ones."""
    root = machines.linux(tmp_path, machines.INTEL_HYBRID, ["0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"])
    group = {
        "proc/self/cgroup": "0::/g\n",
        "sys/fs/cgroup/g/cpu.max": f"{quota}\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu\n",
    }
    tree.write(root, {"sys/devices/cpu_atom/cpus": "4-7\n", **group})
    cpu = describe_cpu(root, "linux", Recorded(), affinity=usable)[0]
    assert (cpu.physical_cores, cpu.efficiency_cores) == (cores, slow)


@pytest.mark.parametrize(
    ("name", "sets", "per_cycle"),
    [
        ("Xeon", ("AVX", "AVX2", "AVX512F", "AMX"), 32),
        ("Ryzen", ("AVX", "AVX2"), 32),
        ("Sandy Bridge", ("AVX",), 16),
        ("Pentium", (), 8),
        ("Raspberry Pi 4 (Cortex-A72)", ("NEON",), 8),
        ("Cortex-A76", ("NEON", "DOTPROD"), 8),
        ("Neoverse-V1", ("NEON", "DOTPROD", "SVE"), 16),
        ("Apple M2", ("NEON", "DOTPROD"), 32),
    ],
)
def test_operations_a_second(name: str, sets: tuple[str, ...], per_cycle: int) -> None:
    assert estimated_flops(Cpu(name, 4, 8, sets, clock_hz=3e9))[0] == 4 * 3e9 * per_cycle
    assert estimated_flops(Cpu(name, 4, 8, sets)) == (
        4 * 2.5e9 * per_cycle, f"4 cores x 2.5 GHz (assumed) x {per_cycle} operations per cycle"
    )  # fmt: skip
