"""Asks the engine, in a separate process, which graphics processors it can use."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.hardware.commands import Commands

ENGINE_LIMIT_S: Final = 5.0
_SCRIPT: Final = Path(__file__).with_name("engine_devices.py")
_GRAPHICS: Final = ("GPU", "IGPU")


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
    """The graphics processors that the engine can use; ``failure`` says why it could not be asked."""

    devices: tuple[EngineDevice, ...] = ()
    failure: str | None = None


def ask_engine(run: Commands, limit_s: float = ENGINE_LIMIT_S) -> EngineAnswer:
    """The engine's answer within ``limit_s`` seconds. Processors (``CPU``, ``ACCEL``) are left out."""
    if not sys.executable:
        return EngineAnswer(failure="the engine's devices cannot be listed without a Python interpreter")
    output = run([sys.executable, "-P", str(_SCRIPT)], limit_s)
    if output.failure:
        _, _, why = output.failure.partition(" ")
        return EngineAnswer(failure=f"the engine's list of devices {why}")
    return parse_answer(output.text)


def parse_answer(text: str) -> EngineAnswer:
    """The devices in the last line that is a JSON list: drivers write lines of their own before it."""
    lines = [line for line in text.splitlines() if line.startswith("[")]
    try:
        listed = json.loads(lines[-1]) if lines else None
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        return EngineAnswer(failure="the engine's list of devices cannot be read")
    seen: dict[str, EngineDevice] = {}
    for number, entry in enumerate(listed):
        device = _device(entry)
        if device is not None:  # one card through two interfaces has one address; the engine uses the first
            seen.setdefault(str(entry.get("device_id") or number), device)
    return EngineAnswer(tuple(seen.values()))


def _device(entry: Any) -> EngineDevice | None:
    if not isinstance(entry, dict) or entry.get("kind") not in _GRAPHICS:
        return None
    sizes = [entry.get(key) for key in ("total_bytes", "free_bytes")]
    total, free = (size if isinstance(size, int) and size > 0 else None for size in sizes)
    name, description = str(entry.get("name", "")), str(entry.get("description", ""))
    return EngineDevice(name, description or name or "GPU", total, free, entry["kind"] == "IGPU")
