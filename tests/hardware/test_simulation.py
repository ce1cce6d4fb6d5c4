from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.hardware.apple import usual_graphics_bytes
from phicli.hardware.simulation import DEFAULT_PROFILE, profile_names, simulate
from phicli.hardware.sizes import parse_rate, parse_size
from phicli.hardware.types import Bandwidth, Memory

GIB = 1 << 30
PROMISED = {
    "laptop-8gb", "laptop-16gb", "laptop-32gb", "macbook-air-16gb", "macbook-pro-36gb", "desktop-32gb-rtx3060-12gb",
    "desktop-64gb-rtx4090-24gb", "workstation-64gb", "raspberry-pi-5-8gb", "container-4gb", "server-128gb",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "size"),
    [("16G", 16 * GIB), ("16GiB", 16 * GIB), ("16GB", 16 * GIB), (" 16 gb ", 16 * GIB), ("512M", 512 << 20),
     ("0.5g", GIB // 2), (".5G", GIB // 2), ("1.5TiB", 3 << 39), ("8388608K", 8 * GIB),
     ("8", 8 * GIB), ("7.5", 15 * GIB // 2)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--ram") == size


@pytest.mark.parametrize(
    ("text", "rate"),
    [("60GB/s", 60e9), ("60 gb/s", 60e9), ("60G", 60e9), ("60GBps", 60e9), ("51200MB/s", 51.2e9), ("1.2TB/s", 1.2e12),
     ("1GiB/s", float(GIB))],
)  # fmt: skip
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text, "--bandwidth") == pytest.approx(rate)


WRONG = ["", " ", "12Q", "-4G", "0G", "0.0GB", "nan", "nanG", "inf", "1e9G", "G", "16 G B", "1,5G", "16G\0",
         "\u0663G", "999999999999T", "9" * 400 + "G", "0." + "0" * 30 + "1K"]  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_size_and_no_rate(text: str) -> None:
    for option, parse in (("--ram", parse_size), ("--bandwidth", parse_rate)):
        with pytest.raises(UsageError) as caught:
            parse(text, option)
        assert option in caught.value.message
        assert len(caught.value.message) < 100
        assert caught.value.message.isprintable()
        assert "for example" in caught.value.hint
    for option in ("ram", "vram", "bandwidth"):
        with pytest.raises(UsageError, match=f"--{option}"):
            simulate(**{option: text})  # type: ignore[arg-type]


@pytest.mark.parametrize("cores", [0, -1, 5000])
def test_a_number_of_cores_that_makes_no_sense(cores: int) -> None:
    with pytest.raises(UsageError, match="--cores") as caught:
        simulate(cores=cores)
    assert "--cores 8" in caught.value.hint


def test_numbers_of_ones_own() -> None:
    machine = simulate(ram="16G", vram="8G", cores=8, bandwidth="60GB/s")
    assert machine.memory == Memory(16 * GIB, 12 * GIB, "given")
    assert (machine.cpu.physical_cores, machine.cpu.logical_cores) == (8, 16)
    assert machine.bandwidth == Bandwidth(60e9, 8 * 4.0e9 * 32, "given")
    (gpu,) = machine.gpus
    assert (gpu.total_bytes, gpu.usable, gpu.unified) == (8 * GIB, True, False)
    assert gpu.bandwidth_bytes_per_s == 200e9
    assert machine.simulated == "values on the command line"
    assert machine.sources["memory"] == "--ram, less what a typical laptop uses; --free sets the free memory"
    assert machine.disk is None


@pytest.mark.parametrize(("ram", "usable"), [("8G", 4.5), ("8", 4.5), ("16G", 12.0), ("64G", 60.0), ("4G", 2.25)])
def test_the_system_takes_its_part_of_the_memory(ram: str, usable: float) -> None:
    """As in the profiles: 3.5 GiB of 8, 4 GiB of 16."""
    memory = simulate(ram=ram).memory
    assert memory is not None
    assert memory.available_bytes == usable * GIB
    for profile, size in (("laptop-8gb", "8G"), ("laptop-16gb", "16G")):
        assert replace(simulate(profile=profile).memory or memory, source="given") == simulate(ram=size).memory


def test_what_is_free_can_be_said() -> None:
    assert simulate(free="6G").memory == Memory(6 * GIB, 6 * GIB, "given")
    assert simulate(ram="16G", free="6G").memory == Memory(16 * GIB, 6 * GIB, "given")
    assert simulate(profile="laptop-16gb", free="10G").memory == Memory(16 * GIB, 10 * GIB, "given")
    assert simulate(profile="laptop-16gb", free="10G").sources["memory"] == "--free"


@pytest.mark.parametrize("typed", [{"ram": "8G", "free": "9G"}, {"profile": "laptop-8gb", "free": "9G"}])
def test_more_free_than_there_is(typed: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--free 9G is more than the memory of the machine"):
        simulate(**typed)  # type: ignore[arg-type]


@pytest.mark.parametrize("vram", ["0", "none", " None "])
def test_no_card(vram: str) -> None:
    assert simulate(ram="16G", vram=vram).gpus == ()
    assert simulate(profile="desktop-32gb-rtx3060-12gb", vram=vram).gpus == ()


@pytest.mark.parametrize("name", ["Laptop-16GB", "laptop_16gb", "laptop 16gb"])
def test_case_and_separators_of_a_profile_do_not_matter(name: str) -> None:
    assert simulate(profile=name) == simulate(profile="laptop-16gb")


def test_what_is_not_given_is_said_to_be_assumed() -> None:
    machine = simulate(ram="8G")
    usual = simulate(profile=DEFAULT_PROFILE)
    assert usual.bandwidth is not None
    assert machine.bandwidth == replace(usual.bandwidth, source="assumed")
    assert machine.sources["bandwidth"] == "assumed: laptop-16gb"
    assert machine.sources["gpus"] == "not given"
    assert machine.cpu.name.startswith("assumed")
    assert machine.gpus == ()


def test_the_promised_profiles_exist() -> None:
    assert set(profile_names()) >= PROMISED


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_makes_sense(name: str) -> None:
    machine = simulate(profile=name)
    assert machine.simulated == name
    assert machine.memory is not None
    assert f"{machine.memory.total_bytes / GIB:g}gb" in name
    assert 0.4 * machine.memory.total_bytes < machine.memory.available_bytes < machine.memory.total_bytes
    assert machine.bandwidth is not None
    assert machine.bandwidth.flops is not None
    assert 5e9 < machine.bandwidth.bytes_per_s < 500e9
    assert machine.bandwidth.source == "profile"
    assert 5e10 < machine.bandwidth.flops < 1e13
    assert machine.cpu.logical_cores >= machine.cpu.physical_cores >= 1
    assert machine.system
    for gpu in machine.gpus:
        assert gpu.usable
        assert gpu.unified or f"{gpu.total_bytes // GIB if gpu.total_bytes else 0}gb" in name
        assert gpu.bandwidth_bytes_per_s is not None
        assert gpu.bandwidth_bytes_per_s > machine.bandwidth.bytes_per_s
    assert all(machine.sources.values())


def test_a_profile_with_other_numbers() -> None:
    machine = simulate(profile="desktop-32gb-rtx3060-12gb", ram="64G", vram="8G")
    assert machine.memory == Memory(64 * GIB, 60 * GIB, "given")
    assert [gpu.total_bytes for gpu in machine.gpus] == [8 * GIB]
    assert machine.gpus[0].bandwidth_bytes_per_s == 360e9
    assert machine.gpus[0].api == "CUDA"
    assert machine.sources["cpu"] == "the profile desktop-32gb-rtx3060-12gb"
    small = simulate(profile="laptop-8gb", ram="4G").memory
    assert small == Memory(4 * GIB, 2 * GIB, "given")


def test_the_clock_of_a_virtual_machine_is_nominal() -> None:
    assert {name for name in profile_names() if simulate(profile=name).cpu.nominal_clock} == {"container-4gb"}


def test_unified_graphics_follow_the_memory() -> None:
    before, after = simulate(profile="macbook-pro-36gb"), simulate(profile="macbook-pro-36gb", ram="18G")
    assert before.gpus[0].total_bytes == 27 * GIB
    assert after.gpus[0].total_bytes == after.gpus[0].free_bytes == 12 * GIB
    assert usual_graphics_bytes(36 * GIB) == 28_991_029_248  # a log of an M3 Pro: recommendedMaxWorkingSetSize


@pytest.mark.parametrize(("vram", "free"), [("24G", 23.2), ("8G", 7.2), ("4G", 3.6)])
def test_a_desktop_takes_its_part_of_a_card(vram: str, free: float) -> None:
    """0.8 GiB, as in the profile with an RTX 3060; a tenth of a small card."""
    for machine in (simulate(vram=vram), simulate(profile="desktop-64gb-rtx4090-24gb", vram=vram)):
        (gpu,) = machine.gpus
        assert gpu.free_bytes == pytest.approx(free * GIB, abs=2)
        assert "desktop" in machine.sources["gpus"]


def test_a_processor_with_two_kinds_of_cores() -> None:
    """Eight efficiency cores compute as much as 3.2 of the others."""
    machine = simulate(profile="workstation-64gb")
    assert machine.bandwidth is not None
    assert machine.bandwidth.flops == pytest.approx((8 + 8 * 0.4) * 5.1e9 * 32)
    assert machine.sources["flops"] == "(8 + 8 x 0.4) cores x 5.1 GHz x 32 operations per cycle"
    assert simulate(profile="workstation-64gb", cores=4).cpu.efficiency_cores == 0


def test_a_profile_that_does_not_exist() -> None:
    with pytest.raises(UsageError) as caught:
        simulate(profile="laptop-16g")
    assert caught.value.message == "unknown machine profile: 'laptop-16g'"
    assert "did you mean --machine laptop-16gb?" in caught.value.hint
    assert all(name in caught.value.hint for name in PROMISED)
    with pytest.raises(UsageError) as caught:
        simulate(profile="zzz")
    assert "did you mean" not in caught.value.hint


@pytest.mark.process
def test_nothing_is_probed() -> None:
    """Neither files of the machine nor programs nor threads: the modules for that are not even loaded."""
    code = (
        "import sys\nfrom phicli.hardware.simulation import simulate\nsimulate(ram='16G', vram='8G')\n"
        "probing = ('psutil', 'subprocess', 'ctypes', 'mmap', 'phicli.hardware.machine', 'phicli.hardware.memory')\n"
        "sys.exit(any(name in sys.modules for name in probing))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
