"""Which device is chosen, with what torch would say."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import pytest

from phicli.errors import UsageError
from phicli.finetune import devices
from phicli.finetune.devices import choose_device
from phicli.hardware.commands import Output

GPU = {"torch": "2.13.0+cu130", "built_for": "13.0", "available": True, "name": "A GPU", "free_bytes": 7 << 30,
       "total_bytes": 8 << 30}  # fmt: skip
NO_GPU = {"torch": "2.13.0", "built_for": "13.0", "available": False}
NO_CUDA = {"torch": "2.13.0+cpu", "built_for": None, "available": False}


def never() -> Mapping[str, Any]:
    raise AssertionError("torch need not be asked")


def without(monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    real = importlib.util.find_spec
    found = importlib.util.find_spec("json")
    monkeypatch.setattr(
        devices, "find_spec", lambda name: (None if missing else found) if name == "bitsandbytes" else real(name)
    )


def test_a_gpu_is_used_where_torch_has_one() -> None:
    chosen = choose_device(None, quantized=False, probe=lambda: GPU)
    assert (chosen.kind, chosen.name, chosen.available_bytes) == ("cuda", "A GPU", 7 << 30)
    assert choose_device(None, quantized=False, probe=lambda: NO_GPU).kind == "cpu"


def test_the_processor_is_used_without_asking_torch_if_it_is_named() -> None:
    chosen = choose_device("cpu", quantized=False, probe=never)
    assert chosen.kind == "cpu"
    assert chosen.available_bytes > 0


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (NO_GPU, "torch 2.13.0 finds no CUDA GPU"),
        (NO_CUDA, r"torch 2.13.0\+cpu is built without CUDA"),
        ({"failure": "it took too long", "built_for": "unknown"}, "torch could not be asked: it took too long"),
    ],
)
def test_a_gpu_that_is_not_there_is_an_error_with_its_reason(facts: Mapping[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose_device("cuda", quantized=False, probe=lambda: facts)


def test_qlora_names_everything_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, missing=True)
    with pytest.raises(UsageError, match=r"needs a GPU .* and the package bitsandbytes") as error:
        choose_device(None, quantized=True, probe=lambda: NO_CUDA)
    assert "pip install bitsandbytes" in error.value.hint
    assert "--dtype bfloat16 --checkpointing" in error.value.hint
    with pytest.raises(UsageError, match="needs the package bitsandbytes"):
        choose_device("cuda", quantized=True, probe=lambda: GPU)
    without(monkeypatch, missing=False)
    assert choose_device(None, quantized=True, probe=lambda: GPU).kind == "cuda"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="--device tpu is unknown"):
        choose_device("tpu", quantized=False, probe=never)
    with pytest.raises(UsageError, match="--device cpu excludes it"):
        choose_device("cpu", quantized=True, probe=never)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output("", "ended with status 1"), "ended with status 1"),
        (Output("a warning\n", None), "it gave no answer"),
    ],
)
def test_a_torch_that_cannot_be_asked_is_no_gpu(monkeypatch: pytest.MonkeyPatch, output: Output, reason: str) -> None:
    monkeypatch.setattr(devices, "SYSTEM", lambda *_: output)
    with pytest.raises(UsageError, match=reason):
        choose_device("cuda", quantized=False)
