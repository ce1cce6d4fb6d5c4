from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import machine_tree as tree
import pytest

from phicli.hardware.cpu import physical_cores

FOUR_OF_EIGHT = ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"]


def test_threads_of_one_core_count_once(tmp_path: Path) -> None:
    root = tree.cores(tmp_path, FOUR_OF_EIGHT)
    assert physical_cores(root, range(8)) == 4
    assert physical_cores(root, [0, 4]) == 1
    assert physical_cores(root, [0, 1, 4]) == 2
    assert physical_cores(root, []) == 1


def test_without_topology_every_processor_is_a_core(tmp_path: Path) -> None:
    assert physical_cores(tmp_path, range(6)) == 6


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 4), ("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("900000 100000", 4),
     ("", 4), ("200000", 4), ("x y", 4), ("0 100000", 4), ("200000 0", 4)],
)  # fmt: skip
def test_the_quota_of_v2(tmp_path: Path, quota: str, cores: int) -> None:
    root = tree.v2(tree.cores(tmp_path, FOUR_OF_EIGHT), "/a/b", {"a/cpu.max": quota, "a/b/cpu.max": "max 100000"})
    assert physical_cores(root, range(8)) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 4), ("250000", 2), ("garbage", 4)])
def test_the_quota_of_v1(tmp_path: Path, quota: str, cores: int) -> None:
    files = {"box/cpu.cfs_quota_us": quota, "box/cpu.cfs_period_us": "100000"}
    root = tree.v1(tree.cores(tmp_path, FOUR_OF_EIGHT), "cpu,cpuacct", "cpu,cpuacct", "/box", files)
    assert physical_cores(root, range(8)) == cores


def test_this_machine() -> None:
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")
def test_psutil_is_not_loaded_on_linux() -> None:
    code = "import sys; from phicli.hardware.cpu import physical_cores; from phicli.hardware.memory import "
    code += "available_memory; physical_cores(); available_memory(); sys.exit('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_affinity_is_honoured() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert physical_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
