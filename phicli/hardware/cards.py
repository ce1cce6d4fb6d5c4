"""Graphics cards as the system's own tools see them, whether or not the engine can use them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.hardware.cgroup import ROOT, read_number, read_text
from phicli.hardware.commands import Commands, printable

NVIDIA_LIMIT_S: Final = 2.0
_QUERY: Final = ("nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
_VENDORS: Final = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}  # the PCI numbers of the makers of GPUs
_UNKNOWN: Final = re.compile(r"\[[\w/ ]{1,30}\]", re.ASCII)  # such as [N/A] or [Not Supported]
_LONGEST_NAME: Final = 100
_MIB: Final = 1 << 20
_INTEL_INSIDE: Final = "0000:00:02.0"  # where Intel's processors put their own graphics


@dataclass(frozen=True, slots=True)
class Card:
    """A card: maker (``NVIDIA``, ``AMD``, ``Intel``, ``Apple``), name, sizes in bytes or None, and who said so."""

    maker: str
    name: str
    total_bytes: int | None
    free_bytes: int | None
    source: str
    unified: bool = False


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards that were found, and in words what went wrong while looking."""

    cards: tuple[Card, ...] = ()
    failures: tuple[str, ...] = ()


def may_have_gpu(root: Path, platform: str, run: Commands) -> bool:
    """Whether there is any sign of a graphics processor, cheaply: asking the engine and the tools costs time."""
    if platform != "linux" or (root == ROOT and run.has("nvidia-smi")):
        return True
    signs = ("proc/driver/nvidia/version", "dev/nvidiactl", "dev/nvidia0", "dev/kfd", "dev/dxg")
    if any((root / sign).exists() for sign in signs) or list((root / "dev/dri").glob("renderD*")):
        return True
    return bool(_graphics_folders(root))


def find_cards(
    root: Path = ROOT, platform: str = sys.platform, *, run: Commands, nvidia_limit_s: float = NVIDIA_LIMIT_S
) -> Cards:
    """Every card that nvidia-smi, ``/sys`` and sysctl name."""
    if platform == "darwin":
        return _apple(run)
    listed, failure = _nvidia(run, nvidia_limit_s)
    from_sysfs = [card for folder in _graphics_folders(root) if (card := _card(folder))]
    if not listed:  # a driver without its tool, or with one that fails
        listed = _nvidia_by_driver(root) or [card for card in from_sysfs if card.maker == "NVIDIA"]
    others = [card for card in from_sysfs if card.maker != "NVIDIA"]
    return Cards((*listed, *others), (failure,) if failure else ())


def _nvidia(run: Commands, limit_s: float) -> tuple[list[Card], str | None]:
    if not run.has("nvidia-smi"):
        return [], None
    output = run(_QUERY, limit_s)
    cards = []
    for line in output.text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3 and _is_name(parts[0]):  # warnings and reports of errors have other shapes
            total, free = _mebibytes(parts[1]), _mebibytes(parts[2])
            if total is not None or _UNKNOWN.fullmatch(parts[1]):
                cards.append(Card("NVIDIA", parts[0], total, free, "nvidia-smi", unified=total is None))
    failure = output.failure
    if failure is None and not cards:
        said = output.text.strip().splitlines()[:1]
        failure = f"nvidia-smi names no card: {printable(said[0])}" if said else "nvidia-smi names no card"
    return cards, failure


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable() and "\ufffd" not in text


def _mebibytes(text: str) -> int | None:
    """``12288`` → bytes; None for ``[N/A]``, which cards that share main memory say, and for garbage."""
    return int(text) * _MIB if text.isdecimal() and text.isascii() and len(text) < 10 and int(text) > 0 else None


def _nvidia_by_driver(root: Path) -> list[Card]:
    cards = []
    for file in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        facts = dict(line.partition(":")[::2] for line in read_text(file).splitlines())
        name = facts.get("Model", "").strip()
        if name:
            cards.append(Card("NVIDIA", name, None, None, "/proc/driver/nvidia"))
    return cards


def _graphics_folders(root: Path) -> list[Path]:
    """The devices in ``/sys/class/drm`` of a maker of GPUs; screens of virtual machines have other makers."""
    cards = (card for card in sorted((root / "sys/class/drm").glob("card*")) if card.name[4:].isdecimal())
    return [card / "device" for card in cards if read_text(card / "device/vendor").strip().lower() in _VENDORS]


def _card(device: Path) -> Card | None:
    maker = _VENDORS[read_text(device / "vendor").strip().lower()]
    product = read_text(device / "product_name").strip()
    number = read_text(device / "device").strip()[:10]
    slot = dict(line.partition("=")[::2] for line in read_text(device / "uevent").splitlines()).get("PCI_SLOT_NAME", "")
    if maker == "AMD":
        total, used = read_number(device / "mem_info_vram_total"), read_number(device / "mem_info_vram_used")
        free = max(0, total - used) if total is not None and used is not None else None
        name = product or f"AMD graphics ({number or 'unknown'})"
        return Card(maker, name, total or None, free, "/sys/class/drm")
    inside = maker == "Intel" and slot == _INTEL_INSIDE
    name = product or f"{maker} {'integrated ' if inside else ''}graphics ({number or 'unknown'})"
    return Card(maker, name, None, None, "/sys/class/drm", unified=inside)


def _apple(run: Commands) -> Cards:
    from phicli.hardware import apple

    values = apple.settings(run)
    limit = apple.graphics_limit(values)
    if limit is None:
        return Cards((), () if values else ("sysctl did not answer",))
    name = values.get("machdep.cpu.brand_string") or "Apple graphics"
    return Cards((Card("Apple", name, limit[0], None, limit[1], unified=True),))
