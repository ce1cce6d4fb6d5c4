from __future__ import annotations

import os
import sys
from pathlib import Path

import machine_fixtures as machines
import machine_tree as tree
import pytest
from recorded_commands import CPU_DEVICE, GIB, Recorded, device, engine

from phicli.hardware.cards import find_cards, may_have_gpu
from phicli.hardware.cgroup import ROOT
from phicli.hardware.commands import SYSTEM, Output
from phicli.hardware.engine_answer import EngineAnswer, ask_engine, parse_answer
from phicli.hardware.gpu import GpuFindings, find_gpus

MIB = 1 << 20
RTX_3060 = device("CUDA0", "NVIDIA GeForce RTX 3060", 11.76, 11.5, address="0000:01:00.0")
RTX_4090 = device("CUDA0", "NVIDIA GeForce RTX 4090", 23.6, 23.2, address="0000:01:00.0")
RTX_3090 = device("CUDA1", "NVIDIA GeForce RTX 3090", 23.7, 1.1, address="0000:02:00.0")
RADEON = device("Vulkan0", "AMD Radeon RX 7900 XTX (RADV NAVI31)", 24, 23, address="0000:03:00.0")
IRIS = device("Vulkan1", "Intel(R) Iris(R) Xe Graphics (ADL GT2)", 12, 11, "IGPU", "0000:00:02.0")


def found(root: Path, answer: EngineAnswer, **outputs: Output | str) -> GpuFindings:
    return find_gpus(root, "linux", run=Recorded(**outputs), engine_devices=lambda: answer)


def test_one_card_that_both_see(tmp_path: Path) -> None:
    findings = found(tmp_path, engine(RTX_3060), nvidia_smi=machines.NVIDIA_ONE)
    (gpu,) = findings.gpus
    assert (gpu.name, gpu.api, gpu.usable, gpu.why_not) == ("NVIDIA GeForce RTX 3060", "CUDA", True, None)
    assert gpu.free_bytes == int(11.5 * GIB)
    assert gpu.source == "the engine (CUDA0), nvidia-smi"
    assert gpu.bandwidth_bytes_per_s == 360e9
    assert findings.source == "the engine, nvidia-smi"


def test_a_card_without_the_build_for_it(tmp_path: Path) -> None:
    (gpu,) = found(tmp_path, engine(), nvidia_smi=machines.NVIDIA_ONE).gpus
    assert (gpu.usable, gpu.total_bytes, gpu.free_bytes) == (False, 12288 * MIB, 11867 * MIB)
    assert gpu.why_not is not None
    assert "this build of the engine has no CUDA" in gpu.why_not
    assert "pip install xllamacpp" in gpu.why_not
    assert "whl/cu128" in gpu.why_not


def test_two_cards(tmp_path: Path) -> None:
    gpus = found(tmp_path, engine(RTX_4090, RTX_3090), nvidia_smi=machines.NVIDIA_TWO).gpus
    assert [(gpu.name, gpu.usable) for gpu in gpus] == [
        ("NVIDIA GeForce RTX 4090", True),
        ("NVIDIA GeForce RTX 3090", True),
    ]


def test_the_second_card_is_hidden_from_the_engine(tmp_path: Path) -> None:
    gpus = found(tmp_path, engine(RTX_3090), nvidia_smi=machines.NVIDIA_TWO).gpus
    assert [(gpu.name, gpu.usable) for gpu in gpus] == [
        ("NVIDIA GeForce RTX 3090", True),
        ("NVIDIA GeForce RTX 4090", False),
    ]
    assert gpus[1].why_not is not None
    assert "CUDA_VISIBLE_DEVICES" in gpus[1].why_not


def test_two_equal_cards_of_which_the_engine_sees_one(tmp_path: Path) -> None:
    gpus = found(tmp_path, engine(RTX_3060), nvidia_smi=machines.NVIDIA_ONE * 2).gpus
    assert [gpu.usable for gpu in gpus] == [True, False]


def test_one_card_through_two_interfaces_counts_once(tmp_path: Path) -> None:
    again = device("Vulkan0", "NVIDIA GeForce RTX 3060", 12, 12, address="0000:01:00.0")
    assert [gpu.api for gpu in found(tmp_path, engine(RTX_3060, again)).gpus] == ["CUDA"]
    unknown = [device(name, "NVIDIA GeForce RTX 3060", 12, 12) for name in ("CUDA0", "CUDA1")]
    assert len(found(tmp_path, engine(*unknown)).gpus) == 2


def test_an_amd_card(tmp_path: Path) -> None:
    root = machines.amd_card(tmp_path, total_gib=24, used_gib=1)
    (gpu,) = found(root, engine(RADEON)).gpus
    assert (gpu.name, gpu.api, gpu.usable) == ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "Vulkan", True)
    assert gpu.source == "the engine (Vulkan0), /sys/class/drm"
    (gpu,) = found(root, engine()).gpus
    assert (gpu.name, gpu.usable) == ("AMD graphics (0x744c)", False)
    assert (gpu.total_bytes, gpu.free_bytes) == (24 * GIB, 23 * GIB)
    assert gpu.why_not is not None
    assert "whl/vulkan" in gpu.why_not


def test_an_amd_card_that_says_nothing(tmp_path: Path) -> None:
    root = machines.card(tmp_path, 0, "0x1002", {"mem_info_vram_total": "0", "product_name": "Radeon Pro W7900"})
    (gpu,) = found(root, engine()).gpus
    assert (gpu.name, gpu.total_bytes, gpu.free_bytes) == ("Radeon Pro W7900", None, None)


def test_graphics_inside_beside_a_card(tmp_path: Path) -> None:
    machines.card(tmp_path, 0, "0x8086", {"device": "0x46a6", "uevent": "PCI_SLOT_NAME=0000:00:02.0"})
    root = machines.amd_card(tmp_path, 1, 24)
    gpus = found(root, engine(IRIS, RADEON)).gpus
    assert [(gpu.name[:3], gpu.usable, gpu.unified) for gpu in gpus] == [("AMD", True, False), ("Int", False, True)]
    assert gpus[1].why_not is not None
    assert "no other GPU" in gpus[1].why_not
    assert [gpu.usable for gpu in found(tmp_path, engine(IRIS)).gpus] == [True, False]


def test_an_nvidia_chip_that_shares_main_memory(tmp_path: Path) -> None:
    answer = engine(device("CUDA0", "NVIDIA GB10", 119, 110, address="000f:01:00.0"))
    (gpu,) = found(tmp_path, answer, nvidia_smi="NVIDIA GB10, [N/A], [N/A]\n").gpus
    assert (gpu.unified, gpu.total_bytes, gpu.usable) == (True, 119 * GIB, True)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (Output(machines.NVIDIA_BROKEN, "nvidia-smi failed: NVIDIA-SMI has failed"), "NVIDIA-SMI has failed"),
        (Output("", "nvidia-smi did not answer in 2 s"), "did not answer in 2 s"),
        (Output("No devices were found\n"), "names no card: No devices were found"),
        (Output(""), "names no card"),
        (Output("one, two, three\n, 5, 5\nx, -1, 9e9\n"), "names no card: one, two, three"),
    ],
)
def test_nvidia_smi_that_fails(tmp_path: Path, output: Output, said: str) -> None:
    findings = found(tmp_path, engine(), nvidia_smi=output)
    assert findings.gpus == ()
    assert said in findings.source
    assert [gpu.usable for gpu in found(tmp_path, engine(RTX_3060), nvidia_smi=output).gpus] == [True]


def test_warnings_beside_the_answer(tmp_path: Path) -> None:
    text = "WARNING: infoROM is corrupted at gpu 0000:01:00.0\n" + machines.NVIDIA_ONE
    output = Output(text, "nvidia-smi failed: WARNING")
    findings = found(tmp_path, engine(), nvidia_smi=output)
    assert [gpu.total_bytes for gpu in findings.gpus] == [12288 * MIB]
    assert "WARNING" in findings.source


def test_a_driver_without_its_tool(tmp_path: Path) -> None:
    root = machines.card(tmp_path, 0, "0x10de", {"device": "0x2504"})
    assert [gpu.name for gpu in found(root, engine()).gpus] == ["NVIDIA graphics (0x2504)"]
    tree.write(
        root, {"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ: 9\n"}
    )
    (gpu,) = found(root, engine()).gpus
    assert (gpu.name, gpu.total_bytes, gpu.source) == ("NVIDIA GeForce RTX 3060", None, "/proc/driver/nvidia")


def test_an_engine_that_cannot_be_asked(tmp_path: Path) -> None:
    findings = found(tmp_path, EngineAnswer(failure="it hangs"), nvidia_smi=machines.NVIDIA_ONE)
    (gpu,) = findings.gpus
    assert (gpu.usable, gpu.why_not) == (False, "unknown whether the engine can use it: it hangs")
    assert findings.source == "the engine's devices could not be listed, nvidia-smi; it hangs"


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="nvidia-smi is a shell script here")
def test_nvidia_smi_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nsleep 300\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    cards = find_cards(tmp_path, "linux", run=SYSTEM, nvidia_limit_s=0.2)
    assert (cards.cards, cards.failures) == ((), ("nvidia-smi did not answer in 0.2 s",))
    assert may_have_gpu(ROOT, "linux", SYSTEM)


@pytest.mark.parametrize("sign", ["dev/nvidiactl", "proc/driver/nvidia/version", "dev/dri/renderD128", "dev/dxg"])
def test_signs_of_a_gpu(tmp_path: Path, sign: str) -> None:
    assert not may_have_gpu(tmp_path, "linux", Recorded())
    assert may_have_gpu(tree.write(tmp_path, {sign: ""}), "linux", Recorded())


def test_screens_of_virtual_machines_are_no_gpus(tmp_path: Path) -> None:
    for number, vendor in enumerate(("0x1234", "0x15ad", "0x1af4", "nonsense", "")):
        machines.card(tmp_path, number, vendor, {})
    assert not may_have_gpu(tmp_path, "linux", Recorded())
    assert find_cards(tmp_path, "linux", run=Recorded()).cards == ()
    assert may_have_gpu(machines.amd_card(tmp_path, 9), "linux", Recorded())
    assert may_have_gpu(tmp_path / "nothing", "darwin", Recorded())
    assert may_have_gpu(tmp_path / "nothing", "win32", Recorded())


@pytest.mark.parametrize(
    "text", ["", "\n", "[", "{}", "nothing", '["x', "[1, 2", '{"a": 1}\n', "[NaN\n"], ids=range(9)
)  # fmt: skip
def test_a_list_of_devices_that_cannot_be_read(text: str) -> None:
    assert parse_answer(text) == EngineAnswer(failure="the engine's list of devices cannot be read")


def test_devices_that_make_no_sense_are_left_out() -> None:
    assert parse_answer('[1, null, "GPU", {}, {"kind": "GPUX"}, []]').devices == ()
    (only,) = parse_answer('[{"kind": "GPU", "total_bytes": "many", "free_bytes": -5}]').devices
    assert (only.description, only.total_bytes, only.free_bytes) == ("GPU", None, None)
    assert engine().devices == ()
    assert CPU_DEVICE["kind"] == "CPU"


def test_asking_is_a_program_of_its_own() -> None:
    run = Recorded()
    run.answers[sys.executable] = Output("", "python did not answer in 5 s")
    assert ask_engine(run).failure == "the engine's list of devices did not answer in 5 s"
    assert [argument for argument in run.asked[0] if argument.endswith("engine_devices.py")]


@pytest.mark.process
def test_the_engine_itself() -> None:
    answer = ask_engine(SYSTEM, 120)
    assert answer.failure is None
    assert all(device.name for device in answer.devices)


@pytest.mark.process
def test_the_engines_own_list(tmp_path: Path) -> None:
    """The script lists the processor too, under the words that the parser goes by."""
    script = Path(__file__).parents[2] / "phicli/hardware/engine_devices.py"
    output = SYSTEM([sys.executable, "-P", str(script)], 120)
    assert output.failure is None
    assert '"kind": "CPU"' in output.text.splitlines()[-1]
