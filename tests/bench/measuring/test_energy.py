# ruff: noqa: N802 (the functions of a library)
from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.measuring.energy import EnergyMeter, NvmlCounter, PowercapCounter, open_meter, powercap_zones

RANGE = 262_143_328_850


def zone(root: Path, folder: str, name: str, energy_uj: int | None, range_uj: int | None = RANGE) -> Path:
    path = root / "sys/class/powercap" / folder
    path.mkdir(parents=True, exist_ok=True)
    (path / "name").write_text(f"{name}\n")
    if energy_uj is not None:
        (path / "energy_uj").write_text(f"{energy_uj}\n")
    if range_uj is not None:
        (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return path


def test_packages_and_their_memory_count_once(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    zone(tmp_path, "intel-rapl:0:0", "core", 0)
    zone(tmp_path, "intel-rapl:0:1", "dram", 0)
    zone(tmp_path, "intel-rapl:1", "package-1", 0)
    zone(tmp_path, "intel-rapl:2", "psys", 0)
    zone(tmp_path, "intel-rapl:2:0", "dram", 0)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0)
    zone(tmp_path, "dtpm", "dtpm", 0)
    assert [path.name for path in powercap_zones(tmp_path)] == ["intel-rapl:0", "intel-rapl:1", "intel-rapl:0:1"]


def test_joules_since_the_beginning(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "dram", 1_000_000)
    meter = open_meter(root=tmp_path)
    assert meter.source == "RAPL (package-0, dram)"
    assert meter.joules() == 0
    zone(tmp_path, "intel-rapl:0", "package-0", 7_500_000)
    zone(tmp_path, "intel-rapl:0:0", "dram", 1_250_000)
    assert meter.joules() == pytest.approx(2.75)
    assert meter.joules() == pytest.approx(2.75)


def test_a_counter_that_begins_anew(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", "package-0", RANGE - 1_000_000)
    counter = PowercapCounter([path])
    zone(tmp_path, "intel-rapl:0", "package-0", 2_000_000)
    assert counter.joules() == pytest.approx(3.0)
    zone(tmp_path, "intel-rapl:0", "package-0", 4_000_000)
    assert counter.joules() == pytest.approx(5.0)


def test_a_counter_that_begins_anew_without_saying_where(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", "package-0", 9_000_000, None)
    counter = PowercapCounter([path])
    zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000, None)
    assert counter.joules() is None


@pytest.mark.parametrize("energy", [None, -1])
def test_a_counter_that_cannot_be_read_is_no_energy(tmp_path: Path, energy: int | None) -> None:
    """Without root ``energy_uj`` is there and cannot be read."""
    zone(tmp_path, "intel-rapl:0", "package-0", energy)
    meter = open_meter(root=tmp_path)
    assert (meter.source, meter.joules()) == (None, None)


def test_one_package_of_two_is_no_energy(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    zone(tmp_path, "intel-rapl:1", "package-1", None)
    assert open_meter(root=tmp_path).joules() is None


def test_a_machine_without_counters(tmp_path: Path) -> None:
    assert open_meter(root=tmp_path).joules() is None
    assert powercap_zones(tmp_path) == ()


class Nvml:
    """NVIDIA's library with two cards; ``fails`` names a function that refuses."""

    def __init__(self, millijoules: list[int], fails: str = "") -> None:
        self.millijoules, self._fails = millijoules, fails

    def nvmlInit_v2(self) -> int:
        return int(self._fails == "init")

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.millijoules)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: int, device: Any) -> int:
        device._obj.value = 1000 + number
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, device: ctypes.c_void_p, value: Any) -> int:
        value._obj.value = self.millijoules[(device.value or 0) - 1000]
        return 3 if self._fails == "energy" else 0


def test_cards_and_packages_together(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    library = Nvml([10_000, 500])
    meter = open_meter(gpu=True, root=tmp_path, library=library)
    assert meter.source == "NVML and RAPL (package-0)"
    library.millijoules = [14_000, 1_500]
    zone(tmp_path, "intel-rapl:0", "package-0", 2_000_000)
    assert meter.joules() == pytest.approx(4 + 1 + 2)


def test_cards_alone_where_the_packages_do_not_tell(tmp_path: Path) -> None:
    assert open_meter(gpu=True, root=tmp_path, library=Nvml([1])).source == "NVML"


def test_cards_do_not_count_for_a_model_on_the_processor(tmp_path: Path) -> None:
    assert open_meter(gpu=False, root=tmp_path, library=Nvml([1])).source is None


@pytest.mark.parametrize("fails", ["init", "energy"])
def test_cards_that_do_not_tell(tmp_path: Path, fails: str) -> None:
    """Packages alone would be a part of the energy."""
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    assert open_meter(gpu=True, root=tmp_path, library=Nvml([1], fails)).joules() is None


def test_no_cards(tmp_path: Path) -> None:
    assert open_meter(gpu=True, root=tmp_path, library=Nvml([])).joules() is None


def test_a_meter_whose_counter_fails_later() -> None:
    library = Nvml([1_000])
    meter = EnergyMeter([NvmlCounter(library, [ctypes.c_void_p(1000)])])
    assert meter.joules() == 0
    library._fails = "energy"
    assert meter.joules() is None
