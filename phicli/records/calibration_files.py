"""Calibrations on disk: one JSON file each under ``calibrations`` in the data folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from phicli.engine.starting import build_of
from phicli.fit.calibration import Calibration
from phicli.paths import data_dir, read_small, write_atomically

_FOLDER: Final = "calibrations"
_LARGEST_BYTES: Final = 1 << 16


def save_calibration(calibration: Calibration) -> Path:
    """Save ``calibration`` in place of an earlier one made under the same conditions; returns the file.

    Raises:
        OSError: it cannot be written.
    """
    about = {**asdict(calibration.conditions), "quant": calibration.quant, "shape": calibration.shape_key}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in calibration.quant.lower())
    path = data_dir() / _FOLDER / f"{letters[:60]}-{digest}.json"
    write_atomically(path, json.dumps(calibration.to_data(), indent=1).encode() + b"\n")
    return path


def load_calibrations(cpu: str, build: str | None = None) -> tuple[Calibration, ...]:
    """All that hold for the processor ``cpu`` and the engine ``build`` (the installed one), the newest first.

    Files that cannot be read or understood are left out.
    """
    build = build or build_of()
    found = [one for one in _all() if (one.conditions.cpu, one.conditions.build) == (cpu, build)]
    return tuple(sorted(found, key=lambda one: one.made_at, reverse=True))


def _all() -> Iterator[Calibration]:
    try:
        paths = sorted((data_dir() / _FOLDER).glob("*.json"))
    except OSError:
        return
    for path in paths:
        try:
            data = json.loads(read_small(path, _LARGEST_BYTES))
            if isinstance(data, Mapping):
                yield Calibration.from_data(data)
        except (OSError, ValueError, RecursionError):
            continue
