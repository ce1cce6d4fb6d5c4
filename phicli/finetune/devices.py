"""Where a run is computed: on a GPU if torch has one, else on the processor."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final

from phicli.errors import UsageError
from phicli.hardware.cards import may_have_gpu
from phicli.hardware.cgroup import ROOT
from phicli.hardware.commands import SYSTEM
from phicli.hardware.memory import available_memory

DEVICES: Final = ("cpu", "cuda")
_PROBE: Final = (sys.executable, "-m", "phicli.finetune.cuda_probe")
_PROBE_S: Final = 120.0
"""The CUDA build of torch has several GB, which may have to come from a slow disk."""
_BUILD: Final = "install the CUDA build of torch (pytorch.org, Get Started)"


@dataclass(frozen=True, slots=True)
class Device:
    """``cpu`` or ``cuda``, its name, and the memory there that a run may take, in bytes."""

    kind: str
    name: str
    available_bytes: int


def choose_device(
    asked: str | None, *, quantized: bool, probe: Callable[[], Mapping[str, Any]] | None = None
) -> Device:
    """The device that was ``asked`` for; with None the GPU where torch has one.

    Args:
        asked: ``cpu``, ``cuda`` or None.
        quantized: whether the weights are to be held in 4 bits, which needs a GPU and bitsandbytes.
        probe: asks torch; tests give another one.

    Raises:
        UsageError: there is no such device, or a package is missing.
    """
    if asked not in (None, *DEVICES):
        raise UsageError(f"--device {asked} is unknown", f"choose one of: {', '.join(DEVICES)}")
    if quantized and asked == "cpu":
        raise UsageError("--qlora needs a GPU: --device cpu excludes it", "leave out one of them")
    wanted = quantized or asked == "cuda"
    if not wanted and (asked == "cpu" or (probe is None and not _may_have_cuda())):
        return _processor()
    facts = (probe or _probed)()
    if quantized:
        _check_qlora(facts)
    if facts.get("available"):
        return Device("cuda", str(facts["name"]), int(facts["free_bytes"]))
    if wanted:
        raise UsageError(f"--device cuda: {_why_not(facts)}", f"leave out --device; for a GPU, {_BUILD}")
    return _processor()


def _processor() -> Device:
    memory = available_memory()
    return Device("cpu", "processor", memory.available_bytes if memory else 0)


def _check_qlora(facts: Mapping[str, Any]) -> None:
    missing = [] if facts.get("available") else [f"a GPU ({_why_not(facts)})"]
    missing += [] if find_spec("bitsandbytes") else ["the package bitsandbytes"]
    if missing:
        hints = [] if facts.get("available") else [f"where there is a CUDA GPU, {_BUILD}"]
        hints += [] if find_spec("bitsandbytes") else ["pip install bitsandbytes"]
        instead = "without a GPU, leave out --qlora and use --dtype bfloat16 --checkpointing"
        raise UsageError(f"--qlora needs {' and '.join(missing)}", "; ".join([*hints, instead]))


def _why_not(facts: Mapping[str, Any]) -> str:
    if facts.get("failure"):
        return f"torch could not be asked: {facts['failure']}"
    if not facts.get("built_for"):
        return f"torch {facts.get('torch')} is built without CUDA"
    return f"torch {facts.get('torch')} finds no CUDA GPU"


def _may_have_cuda() -> bool:
    """Whether it is worth to load torch for the question."""
    try:
        build = version("torch")
    except PackageNotFoundError:
        return False
    return sys.platform != "darwin" and "+cpu" not in build and may_have_gpu(ROOT, sys.platform, SYSTEM)


def _probed() -> Mapping[str, Any]:
    output = SYSTEM(_PROBE, _PROBE_S)
    try:
        facts = json.loads(output.text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {"failure": output.failure or "it gave no answer", "built_for": "unknown"}
    return facts if isinstance(facts, dict) else {}
