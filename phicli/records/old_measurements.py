"""The speeds that earlier versions of phi kept in files of their own, ``measurements/*.json`` in the data folder.

They are taken over into the history: a run that is there gets what it lacks to be a speed for ``phi recommend``,
anything else becomes an entry of the kind ``speed``. A file is removed when the history has what is in it. Whoever is
killed in between does the same again: entries made of the same file have the same id.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.errors import PhiError
from phicli.fit.calibration import Measurement
from phicli.paths import read_small
from phicli.records.history import Entry, History
from phicli.records.run_ids import run_id_at
from phicli.records.speed_data import speed_data
from phicli.units import counted

_FOLDER: Final = "measurements"
_LARGEST_BYTES: Final = 1 << 16
_NOTE: Final = "measured by an earlier version of phi, which did not save samples"


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What came of it: a ``notice`` where something was taken over, and the measurements that still are in files."""

    notice: str = ""
    left: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    content: bytes
    measurement: Measurement


def take_over(history: History) -> TakenOver:
    """Move what is in files beside ``history`` into it. Files that cannot be understood stay.

    Where the history cannot be written all files stay as they are, to be used from there.
    """
    files = list(_files(history.path.with_name(_FOLDER)))
    if not files:
        return TakenOver()
    try:
        count = history.update(lambda entries: _changes([file.measurement for file in files], entries))
    except (PhiError, OSError, ValueError):
        return TakenOver(left=tuple(file.measurement for file in files))
    for file in files:
        _remove(file)
    with contextlib.suppress(OSError):
        history.path.with_name(_FOLDER).rmdir()
    what = counted(count, "speed")
    return TakenOver(
        f"moved {what} measured by an earlier version into the history; see: phi runs list" if count else ""
    )


def _files(folder: Path) -> Iterator[_File]:
    try:
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return
    for path in paths:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            content = read_small(path, _LARGEST_BYTES)
            data = json.loads(content)
            if isinstance(data, Mapping):
                yield _File(path, content, Measurement.from_data(data))


def _remove(file: _File) -> None:
    """Remove ``file``, unless an earlier version of phi has written another measurement into it meanwhile."""
    with contextlib.suppress(OSError):
        if file.path.read_bytes() == file.content:
            file.path.unlink()


def _changes(measurements: Sequence[Measurement], entries: Sequence[Entry]) -> Iterator[Entry]:
    """What has to be saved so that all of ``measurements`` are in the history, which has ``entries``."""
    known = {entry.run_id: entry for entry in entries}
    runs: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "run":
            runs.setdefault(entry.made_at, []).append(entry)
    for one in measurements:
        run = next((run for run in runs.get(one.made_at, ()) if _is_of(one, run)), None)
        entry = _entry(one, known) if run is None else _completed(run, one)
        if known.get(entry.run_id) != entry:
            known[entry.run_id] = entry
            yield entry


def _is_of(one: Measurement, run: Entry) -> bool:
    """Whether ``run``, of the same time, is what was measured."""
    data, here = run.data, one.conditions
    settings = data.get("settings")
    if not isinstance(settings, Mapping):
        return False
    theirs = (run.cpu, run.build, settings.get("threads"), settings.get("repack", False))
    what = (data.get("variant_id"), data.get("quant"), data.get("depth_tokens"))
    return theirs == (here.cpu, here.build, here.threads, here.repack) and what == (
        one.variant_id,
        one.quant,
        one.depth_tokens,
    )


def _completed(run: Entry, one: Measurement) -> Entry:
    lacking: dict[str, Any] = {"weights_bytes": one.weights_bytes, "device": one.conditions.device}
    return replace(run, data={**lacking, **run.data})


def _entry(one: Measurement, known: Mapping[str, Entry]) -> Entry:
    """``one`` as an entry, with an id that no other of those ``known`` has."""
    about, data = one.conditions, {**speed_data(one), "note": _NOTE}
    engine = about.build.partition(" ")[0]
    entry = Entry("", one.made_at, "speed", one.variant_id, one.quant, engine, about.build, about.cpu, data)
    number = int.from_bytes(hashlib.sha256(json.dumps(entry.to_data(), sort_keys=True).encode()).digest()[:2])
    while True:
        entry = replace(entry, run_id=run_id_at(one.made_at, number))
        if known.get(entry.run_id, entry) == entry:
            return entry
        number += 1
