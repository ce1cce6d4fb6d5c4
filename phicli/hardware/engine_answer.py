"""Asks the engine, in a separate process, which graphics processors it can use."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.hardware.commands import Commands

ENGINE_LIMIT_S: Final = 5.0
_SCRIPT: Final = Path(__file__).with_name("engine_devices.py")
_GRAPHICS: Final = ("GPU", "IGPU")
_SETS: Final = {
    "AVX": "AVX", "AVX2": "AVX2", "FMA": "FMA", "F16C": "F16C", "AVX_VNNI": "AVX_VNNI", "AVX512": "AVX512F",
    "AVX512_VNNI": "AVX512_VNNI", "AVX512_BF16": "AVX512_BF16", "AMX_INT8": "AMX", "NEON": "NEON", "FP16_VA": "FP16",
    "DOTPROD": "DOTPROD", "MATMUL_INT8": "I8MM", "SVE": "SVE", "SME": "SME",
}  # fmt: skip
"""The engine's name of an instruction set → that of :class:`phicli.hardware.types.Cpu` (source: llama.cpp's
``ggml_backend_cpu_get_features``)."""


@dataclass(frozen=True, slots=True)
class EngineDevice:
    """A graphics processor in the engine's own words: ``name`` is ``CUDA0``, ``description`` the card. Sizes in bytes.

    ``integrated`` when it has no memory of its own.
    """

    name: str
    description: str
    total_bytes: int | None
    free_bytes: int | None
    integrated: bool = False


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """The graphics processors that the engine can use; ``failure`` says why it could not be asked.

    ``kernels`` are the instruction sets that it was built for, in the words of :class:`phicli.hardware.types.Cpu`;
    ``features`` are all that it lists, in llama.cpp's words.
    """

    devices: tuple[EngineDevice, ...] = ()
    failure: str | None = None
    kernels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


def ask_engine(
    run: Commands, limit_s: float = ENGINE_LIMIT_S, *, kernels: tuple[Path, Path] | None = None
) -> EngineAnswer:
    """The engine's answer within ``limit_s`` seconds. Processors (``CPU``, ``ACCEL``) are left out.

    Args:
        run: starts programs.
        limit_s: after that the answer is a failure.
        kernels: the worker's program, and a CPU module whose instruction sets are reported in place of the engine's.
    """
    if not sys.executable:
        return EngineAnswer(failure="the engine's devices cannot be listed without a Python interpreter")
    output = run([sys.executable, "-P", str(_SCRIPT), *map(str, kernels or ())], limit_s)
    if output.failure:
        _, _, why = output.failure.partition(" ")
        return replace(parse_answer(output.text), devices=(), failure=f"the engine's list of devices {why}")
    return parse_answer(output.text)


def parse_answer(text: str) -> EngineAnswer:
    """The devices in the last line that is a JSON list, and the features in the last that is an object.

    Drivers write lines of their own between them.
    """
    features, listed = _features(_last_json(text, "{")), _last_json(text, "[")
    kernels = tuple(_SETS[name] for name in features if name in _SETS)
    if not isinstance(listed, list):
        return EngineAnswer((), "the engine's list of devices cannot be read", kernels, features)
    seen: dict[str, EngineDevice] = {}
    for number, entry in enumerate(listed):
        device = _device(entry)
        if device is not None:  # one card through two interfaces has one address; the engine uses the first
            seen.setdefault(str(entry.get("device_id") or number), device)
    return EngineAnswer(tuple(seen.values()), None, kernels, features)


def _last_json(text: str, start: str) -> Any:
    """The last line that begins with ``start``, decoded; None where there is none, or it is not JSON."""
    lines = [line for line in text.splitlines() if line.startswith(start)]
    try:
        return json.loads(lines[-1]) if lines else None
    except ValueError:
        return None


def _features(listed: Any) -> tuple[str, ...]:
    features = listed.get("features") if isinstance(listed, dict) else None
    return tuple(name for name in features if isinstance(name, str)) if isinstance(features, list) else ()


def _device(entry: Any) -> EngineDevice | None:
    if not isinstance(entry, dict) or entry.get("kind") not in _GRAPHICS:
        return None
    sizes = [entry.get(key) for key in ("total_bytes", "free_bytes")]
    total, free = (size if isinstance(size, int) and size > 0 else None for size in sizes)
    name, description = str(entry.get("name", "")), str(entry.get("description", ""))
    return EngineDevice(name, description or name or "GPU", total, free, entry["kind"] == "IGPU")
