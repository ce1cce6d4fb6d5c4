"""Calibrations and measurements on disk: one JSON file each under the data folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

from phicli.engine.starting import build_of
from phicli.fit.calibration import Calibration, Conditions, Measurement
from phicli.paths import data_dir, write_atomically

_LARGEST_BYTES: Final = 1 << 16
_Kept = TypeVar("_Kept", Calibration, Measurement)


def save_calibration(calibration: Calibration) -> Path:
    """Keep ``calibration`` in place of an earlier one made under the same conditions; returns the file.

    Raises:
        OSError: it cannot be written.
    """
    about = {**asdict(calibration.conditions), "quant": calibration.quant, "shape": calibration.shape_key}
    return _save("calibrations", calibration.quant, about, calibration.to_data())


def save_measurement(measurement: Measurement) -> Path:
    """Keep ``measurement`` in place of an earlier one of the same file, depth and conditions; returns the file.

    Raises:
        OSError: it cannot be written.
    """
    about = {
        **asdict(measurement.conditions),
        "variant": measurement.variant_id,
        "quant": measurement.quant,
        "weights_bytes": measurement.weights_bytes,
        "depth_tokens": measurement.depth_tokens,
    }
    return _save("measurements", f"{measurement.variant_id}-{measurement.quant}", about, measurement.to_data())


def load_calibrations(cpu: str, build: str | None = None) -> tuple[Calibration, ...]:
    """All that hold for the processor ``cpu`` and the engine ``build`` (the installed one), the newest first.

    Files that cannot be read or understood are left out.
    """
    return _load("calibrations", Calibration.from_data, cpu, build)


def load_measurements(cpu: str, build: str | None = None) -> tuple[Measurement, ...]:
    """As :func:`load_calibrations`."""
    return _load("measurements", Measurement.from_data, cpu, build)


def _save(folder: str, name: str, about: Mapping[str, Any], data: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())[:60]
    path = data_dir() / folder / f"{letters}-{digest}.json"
    write_atomically(path, json.dumps(data, indent=1).encode() + b"\n")
    return path


def _load(folder: str, read: Callable[[Mapping[str, Any]], _Kept], cpu: str, build: str | None) -> tuple[_Kept, ...]:
    build = build or build_of()

    def holds(conditions: Conditions) -> bool:
        return conditions.cpu == cpu and conditions.build == build

    found = [kept for kept in _all(data_dir() / folder, read) if holds(kept.conditions)]
    return tuple(sorted(found, key=lambda kept: kept.made_at, reverse=True))


def _all(folder: Path, read: Callable[[Mapping[str, Any]], _Kept]) -> Iterator[_Kept]:
    try:
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return
    for path in paths:
        try:
            with path.open("rb") as file:
                data = json.loads(file.read(_LARGEST_BYTES))
            if isinstance(data, Mapping):
                yield read(data)
        except (OSError, ValueError, RecursionError):
            continue
