"""Graphics processors as the engine sees them, reconciled with what the system's tools see."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from phicli.hardware.cards import NVIDIA_LIMIT_S, Card, Cards, find_cards
from phicli.hardware.cgroup import ROOT
from phicli.hardware.commands import Commands
from phicli.hardware.engine_answer import EngineAnswer, EngineDevice
from phicli.hardware.gpu_bandwidth import maker_bandwidth
from phicli.hardware.types import Gpu

# The start of the engine's name of a device → what drives it.
_APIS: Final = {"CUDA": "CUDA", "ROCM": "ROCm", "HIP": "ROCm", "VULKAN": "Vulkan", "MTL": "Metal", "METAL": "Metal",
                "SYCL": "SYCL", "MUSA": "MUSA", "OPENCL": "OpenCL", "GPUOPENCL": "OpenCL"}  # fmt: skip
_MAKER_OF_API: Final = {"CUDA": "NVIDIA", "ROCm": "AMD", "Metal": "Apple", "SYCL": "Intel"}
_MAKER_WORDS: Final = {
    "NVIDIA": ("nvidia", "geforce", "quadro", "tesla"),
    "AMD": ("amd", "radeon"),
    "Intel": ("intel",),
    "Apple": ("apple",),
}
_API_FOR: Final = {"NVIDIA": "CUDA", "AMD": "Vulkan", "Intel": "Vulkan", "Apple": "Metal"}
_INSTALL: Final = "pip install xllamacpp --force-reinstall --index-url https://xorbitsai.github.io/xllamacpp/whl/"
INSTALL_COMMANDS: Final = MappingProxyType(
    {"CUDA": _INSTALL + "cu128", "Vulkan": _INSTALL + "vulkan", "Metal": "pip install -U xllamacpp"}
)
"""What drives a GPU → how to install the build of the engine that uses it. The usual build has Metal on a Mac."""

_SECOND: Final = "the engine uses integrated graphics only where there is no other GPU"


@dataclass(frozen=True, slots=True)
class GpuFindings:
    """The graphics processors, usable ones first, in words how they were found, and what failed in looking."""

    gpus: tuple[Gpu, ...]
    source: str
    failures: tuple[str, ...] = ()


def find_gpus(
    root: Path = ROOT,
    platform: str = sys.platform,
    *,
    run: Commands,
    engine_devices: Callable[[], EngineAnswer],
    nvidia_limit_s: float = NVIDIA_LIMIT_S,
) -> GpuFindings:
    """Ask the engine and the tools side by side; takes as long as the slower one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine_devices)
        cards = find_cards(root, platform, run=run, nvidia_limit_s=nvidia_limit_s)
        return reconcile(answer.result(), cards)


def reconcile(answer: EngineAnswer, found: Cards) -> GpuFindings:
    """One list of both: what the engine sees is usable, what only the tools see is not, with the reason."""
    left = list(found.cards)
    gpus = [_usable(device, _take(device, left), answer) for device in answer.devices]
    gpus += [_unusable(card, answer) for card in left]
    asked = "the engine's devices could not be listed" if answer.failure else "the engine"
    tools = sorted({card.source for card in found.cards})
    notes = [note for note in (answer.failure, *found.failures) if note]
    ordered = tuple(sorted(gpus, key=lambda gpu: not gpu.usable))
    return GpuFindings(ordered, "; ".join([", ".join([asked, *tools]), *notes]), tuple(notes))


def _usable(device: EngineDevice, card: Card | None, answer: EngineAnswer) -> Gpu:
    api = _api(device)
    second = device.integrated and not all(other.integrated for other in answer.devices)
    return Gpu(
        name=device.description,
        api=api,
        total_bytes=device.total_bytes or (card.total_bytes if card else None),
        free_bytes=device.free_bytes or (card.free_bytes if card else None),
        usable=not second,
        source=f"the engine ({device.name})" + (f", {card.source}" if card else ""),
        why_not=_SECOND if second else None,
        unified=device.integrated or api == "Metal" or (card is not None and card.unified),
        bandwidth_bytes_per_s=maker_bandwidth(device.description) or (maker_bandwidth(card.name) if card else None),
    )


def _unusable(card: Card, answer: EngineAnswer) -> Gpu:
    api = _API_FOR[card.maker]
    if answer.failure:
        why = f"unknown whether the engine can use it: {answer.failure}"
    elif any(_api(device) == api for device in answer.devices):
        where = "CUDA_VISIBLE_DEVICES and the driver" if api == "CUDA" else "its driver"
        why = f"the engine has {api} but does not detect this card: check {where}"
    else:
        why = f"this build of the engine has no {api}, or no driver for it is installed: {INSTALL_COMMANDS[api]}"
    return Gpu(card.name, api, card.total_bytes, card.free_bytes, False, card.source, why, card.unified)


def _take(device: EngineDevice, cards: list[Card]) -> Card | None:
    """Remove and return the card that is this device: of its maker, by name first, then by the nearest size."""
    maker = _maker(device)
    candidates = [card for card in cards if card.maker == maker]
    if not candidates:
        return None
    words = device.description.lower()
    named = [card for card in candidates if card.name.lower() in words or words in card.name.lower()]
    size = device.total_bytes or 0
    card = min(named or candidates, key=lambda card: abs((card.total_bytes or 0) - size))
    cards.remove(card)
    return card


def _maker(device: EngineDevice) -> str | None:
    words = device.description.lower()
    for maker, names in _MAKER_WORDS.items():
        if any(name in words for name in names):
            return maker
    return _MAKER_OF_API.get(_api(device) or "")


def _api(device: EngineDevice) -> str | None:
    return _APIS.get(device.name.upper().rstrip("0123456789"))
