"""Energy counters of the machine: processors through Linux's powercap, graphics processors through NVML.

Sources: the kernel's ``Documentation/power/powercap/powercap.rst`` (``energy_uj`` counts microjoules and restarts
after ``max_energy_range_uj``), NVIDIA's NVML reference (``nvmlDeviceGetTotalEnergyConsumption``, millijoules since the
driver was loaded, Volta and later). The counters are of whole packages and cards: what other programs and idling take
is in them. Where a counter cannot be read (most systems let only root read ``energy_uj``) there is no energy, rather
than a part of it.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from phicli.hardware.cgroup import ROOT, read_number, read_text

_PACKAGE: Final = re.compile(r"(intel-rapl|amd-rapl):\d+")
_SUCCESS: Final = 0


class Counter(Protocol):
    """A counter of energy that only grows."""

    @property
    def source(self) -> str:
        """The source of the energy counters, in words."""

    def joules(self) -> float | None:
        """Joules since the counter was made; None when it can no longer be read."""


class PowercapCounter:
    """Packages of the processor, and the memory that counts for itself. Look at least once a minute: it wraps.

    Args:
        zones: folders of powercap, each with ``energy_uj``.
    """

    def __init__(self, zones: Sequence[Path]) -> None:
        self._zones = tuple(zones)
        self._ranges = [read_number(zone / "max_energy_range_uj") for zone in self._zones]
        self._last = [read_number(zone / "energy_uj") for zone in self._zones]
        self._micro = 0

    @property
    def source(self) -> str:
        """``RAPL`` and the names of the zones."""
        names = [read_text(zone / "name").strip() or zone.name for zone in self._zones]
        return f"RAPL ({', '.join(names)})"

    def joules(self) -> float | None:
        """Joules since the counter was made, over all zones; None when one cannot be read or its end is unknown."""
        for place, zone in enumerate(self._zones):
            now, last, range_ = read_number(zone / "energy_uj"), self._last[place], self._ranges[place]
            if now is None or last is None or (now < last and range_ is None):
                return None
            self._micro += now - last if now >= last else now + (range_ or 0) - last
            self._last[place] = now
        return self._micro / 1e6


class NvmlCounter:
    """All NVIDIA cards together.

    Args:
        library: NVML, as ``ctypes`` loads it.
        devices: handles of the cards.
    """

    def __init__(self, library: Any, devices: Sequence[Any]) -> None:
        self._library, self._devices = library, tuple(devices)
        self._first = self._millijoules()

    @property
    def source(self) -> str:
        """``NVML``."""
        return "NVML"

    def joules(self) -> float | None:
        """Joules since the counter was made, over all cards; None if one does not report it."""
        now = self._millijoules()
        return None if now is None or self._first is None else (now - self._first) / 1e3

    def _millijoules(self) -> int | None:
        total = 0
        for device in self._devices:
            value = ctypes.c_ulonglong()
            if self._library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(value)) != _SUCCESS:
                return None
            total += value.value
        return total


class EnergyMeter:
    """What all counters together say; without counters, or when one fails, nothing.

    Args:
        counters: disjoint parts of the machine.
    """

    def __init__(self, counters: Sequence[Counter] = ()) -> None:
        self._counters = tuple(counters)

    @property
    def source(self) -> str | None:
        """The source of the energy counters, in words; None when there is none."""
        return " and ".join(counter.source for counter in self._counters) or None

    def joules(self) -> float | None:
        """Joules since the meter was made; None if the machine does not report it."""
        values = [counter.joules() for counter in self._counters]
        known = [value for value in values if value is not None]
        return sum(known) if known and len(known) == len(values) else None


def open_meter(*, gpu: bool = False, root: Path = ROOT, library: Any = None) -> EnergyMeter:
    """The counters of this machine for a model on the processor, or on a graphics processor.

    On the processor alone the packages have to tell. On a graphics processor the cards have to; the packages are
    added where they tell, and :attr:`EnergyMeter.source` says so.

    Args:
        gpu: whether layers are on a graphics processor.
        root: where ``/sys`` is found; tests give a folder of their own.
        library: NVML, as ``ctypes`` loads it; that of the system when None.
    """
    zones = powercap_zones(root)
    packages: list[Counter] = [PowercapCounter(zones)] if zones else []
    packages = [counter for counter in packages if counter.joules() is not None]
    if not gpu:
        return EnergyMeter(packages)
    cards = _nvml(library if library is not None else _load_nvml())
    return EnergyMeter([cards, *packages] if cards is not None else [])


def powercap_zones(root: Path = ROOT) -> tuple[Path, ...]:
    """Folders of the packages, and of memory beside them; ``psys`` (all of it again) and parts of a package not."""
    folder = root / "sys/class/powercap"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return ()
    packages = [name for name in names if _PACKAGE.fullmatch(name) and _zone(folder / name) != "psys"]
    inner = [name for name in names if name.rpartition(":")[0] in packages and _zone(folder / name) == "dram"]
    return tuple(folder / name for name in (*packages, *inner))


def _zone(path: Path) -> str:
    return read_text(path / "name").strip()


def _load_nvml() -> Any:
    name = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def _nvml(library: Any) -> NvmlCounter | None:
    if library is None or library.nvmlInit_v2() != _SUCCESS:
        return None
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _SUCCESS:
        return None
    devices = []
    for number in range(count.value):
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)) != _SUCCESS:
            return None
        devices.append(device)
    counter = NvmlCounter(library, devices)
    return counter if devices and counter.joules() is not None else None
