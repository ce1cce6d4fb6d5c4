"""The speeds that were measured on this machine, as ``phi recommend`` uses them: read from the history."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from phicli.errors import PhiError, reason_of
from phicli.fit.calibration import Measurement
from phicli.paths import data_dir

_WAIT_S: Final = 1.0
"""For another process that has the history: a recommendation without it is better than one that comes late."""

_UNUSED: Final = "earlier measured speeds are not used"


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured, the newest first; ``notices`` are sentences that a person should read."""

    measurements: tuple[Measurement, ...] = ()
    notices: tuple[str, ...] = ()


def load_speeds(cpu: str, build: str) -> Speeds:
    """The speeds measured on the processor ``cpu`` with the engine ``build``.

    There is only the newest for each file, depth and setting. What an earlier version of phi left in files of their own
    is moved into the history first. A history that cannot be read is a notice, not an error.
    """
    if not any(os.path.exists(data_dir() / name) for name in ("runs.sqlite", "measurements")):  # noqa: PTH110 (never raises)
        return Speeds()
    from phicli.records.history import History
    from phicli.records.old_measurements import take_over
    from phicli.records.speed_data import KINDS, NAMES, newest_measurements

    history = History(wait_s=_WAIT_S)
    taken = take_over(history)
    notices = [taken.notice] if taken.notice else []
    found = [one for one in taken.left if (one.conditions.cpu, one.conditions.build) == (cpu, build)]
    try:
        found += newest_measurements(history.parts(NAMES, kinds=KINDS, cpu=cpu, build=build))
    except PhiError as error:
        notices.append(f"{_UNUSED}: {error.message} (→ {error.hint})")
    except OSError as error:
        notices.append(f"{_UNUSED}: {reason_of(error)}: {error.filename or history.path}")
    return Speeds(tuple(_newest(found)), tuple(notices))


def _newest(measurements: Sequence[Measurement]) -> Iterator[Measurement]:
    """The newest of each file, depth and setting, the newest first."""
    seen: set[tuple[object, ...]] = set()
    for one in sorted(measurements, key=lambda one: one.made_at, reverse=True):
        about = (one.conditions, one.variant_id, one.quant, one.weights_bytes, one.depth_tokens)
        if about not in seen:
            seen.add(about)
            yield one
