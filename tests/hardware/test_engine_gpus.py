"""Which GPUs a load may use: the engine is asked only where there is a sign of one."""

from __future__ import annotations

import json
from pathlib import Path

import machine_tree as tree
import pytest
from recorded_commands import GIB, Recorded, device

from phicli.hardware.engine_answer import EngineAnswer, parse_answer
from phicli.hardware.engine_gpus import engine_gpus


def nobody() -> EngineAnswer:
    pytest.fail("the engine was asked")


def test_without_a_sign_of_a_gpu_the_engine_is_not_asked(tmp_path: Path) -> None:
    run = Recorded()
    assert engine_gpus(tmp_path, "linux", run=run, engine_devices=nobody) == ()
    assert run.asked == []


def test_with_a_sign_the_engine_is_asked_and_no_tool(tmp_path: Path) -> None:
    root, run = tree.write(tmp_path, {"dev/nvidiactl": ""}), Recorded(nvidia_smi="")
    listed = [device("CUDA0", "NVIDIA GeForce RTX 3060", 12, 11), device("Vulkan1", "Intel", 8, 8, "IGPU")]
    (gpu,) = engine_gpus(root, "linux", run=run, engine_devices=lambda: parse_answer(json.dumps(listed)))
    assert (gpu.api, gpu.total_bytes, gpu.free_bytes, gpu.unified) == ("CUDA", 12 * GIB, 11 * GIB, False)
    assert run.asked == []


def test_an_engine_that_cannot_be_asked_has_no_gpu(tmp_path: Path) -> None:
    root = tree.write(tmp_path, {"dev/kfd": ""})
    assert engine_gpus(root, "linux", run=Recorded(), engine_devices=lambda: EngineAnswer(failure="it hung")) == ()


def test_a_mac_shares_its_memory(tmp_path: Path) -> None:
    listed = json.dumps([device("MTL0", "Apple M2", 10.67, 10.67)])
    (gpu,) = engine_gpus(tmp_path, "darwin", run=Recorded(), engine_devices=lambda: parse_answer(listed))
    assert (gpu.api, gpu.unified) == ("Metal", True)
