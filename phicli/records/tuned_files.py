"""What tuning found, on disk: one small JSON file for each model file, under ``tuned`` in the data folder.

The file is called after the SHA-256 of the model file where that is known (it was downloaded or verified), else after
a digest of its size, its modification time and its first and last 64 KiB: that can be told in a millisecond, and
changes with every file that was written again. A model file that is hashed later is still found by the digest. In it
is an entry for each processor (one home may serve several machines) and engine build, and the mark of the machine
(:mod:`phicli.records.machine_mark`) that it was found on, which saves a chat from naming the processor again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from phicli.paths import data_dir, read_small, write_atomically
from phicli.records.machine_mark import machine_mark
from phicli.records.tuned import Tuned

_FOLDER: Final = "tuned"
_END_BYTES: Final = 1 << 16
_LARGEST_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class TuningConditions:
    """What has to be the same for winners to hold: the processor, the cores that may be used, the engine's build."""

    cpu: str
    cores: int
    build: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept for a file: the entry that holds here and now, and the newest one that does not.

    ``told`` says that somebody was told already that what is kept is ``stale``.
    """

    current: Tuned | None = None
    stale: Tuned | None = None
    told: bool = False


@dataclass(slots=True)
class _Content:
    """What is in a file: entries, under which conditions a person was told that they are stale, marks of machines."""

    entries: list[Tuned] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    marks: dict[str, TuningConditions] = field(default_factory=dict)


def conditions_here() -> TuningConditions:
    """Those of this machine and the installed engine; takes some tens of milliseconds."""
    from phicli.engine.starting import build_of
    from phicli.hardware.cpu_facts import describe_cpu

    cpu, _ = describe_cpu()
    return TuningConditions(cpu.name, cpu.physical_cores, build_of())


def find_tuned(
    path: Path,
    sha256: str | None,
    here: Callable[[], TuningConditions] = conditions_here,
    mark: Callable[[], str | None] = machine_mark,
) -> Kept:
    """What is kept for the model file at ``path``.

    Args:
        path: the model file.
        sha256: its hash where that is known without reading the file.
        here: tells the conditions; only asked where there is anything, and where the mark is a new one.
        mark: tells the mark of the machine; only asked where there is anything.
    """
    content = _read(_places(path, sha256))
    if not content.entries:
        return Kept()
    now = content.marks.get(mark() or "") or here()
    newest = sorted(content.entries, key=lambda one: one.made_at, reverse=True)
    current = next((one for one in newest if _holds(one, now)), None)
    stale = None if current else newest[0]
    return Kept(current, stale, told=_name(now) in content.told)


def save_tuned(tuned: Tuned, path: Path, sha256: str | None, mark: str | None = None) -> Path:
    """Save ``tuned`` in place of what was saved for the same processor, whatever the build; returns the file.

    ``mark`` is that of the machine on which it was found, which has to be this one.

    Raises:
        OSError: it cannot be written.
    """
    places = _places(path, sha256)
    content = _read(places)
    others = [one for one in content.entries if (one.cpu, one.cores) != (tuned.cpu, tuned.cores)]
    kept = [tuned, *others]
    marks = {name: one for name, one in content.marks.items() if any(_holds(entry, one) for entry in kept)}
    if mark is not None:
        marks[mark] = TuningConditions(tuned.cpu, tuned.cores, tuned.build)
    _write(places[0], _Content(kept, set(), marks))
    for place in places[1:]:
        with contextlib.suppress(OSError):
            place.unlink()
    return places[0]


def mark_told(path: Path, sha256: str | None, here: Callable[[], TuningConditions] = conditions_here) -> None:
    """Record that a person was told that the settings saved for ``path`` are stale; a failure to do so is ignored."""
    for place in _places(path, sha256):
        content = _read([place])
        if content.entries:
            content.told.add(_name(here()))
            with contextlib.suppress(OSError):
                _write(place, content)


def forget_tuned(path: Path, sha256: str | None) -> bool:
    """Forget what is kept for ``path``; whether there was anything.

    Raises:
        OSError: it cannot be removed.
    """
    there = [place for place in _places(path, sha256) if place.is_file()]
    for place in there:
        place.unlink()
    return bool(there)


def forget_all_tuned() -> int:
    """Forget everything; the number of model files that something was kept for.

    Raises:
        OSError: something cannot be removed.
    """
    there = _all_places()
    for place in there:
        place.unlink(missing_ok=True)
    return len(there)


def all_tuned(here: TuningConditions) -> tuple[Tuned, ...]:
    """Everything that holds under the conditions ``here``, the newest first; what cannot be read is left out."""
    found = [one for place in _all_places() for one in _read([place]).entries if _holds(one, here)]
    return tuple(sorted(found, key=lambda one: one.made_at, reverse=True))


def digest_of(path: Path) -> str:
    """A digest of size, modification time, and the first and last 64 KiB of a file, in 32 hexadecimal digits.

    Raises:
        OSError: the file cannot be read, or is a pipe or a device, which might never end.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(status.st_size - _END_BYTES, 0))
        digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:32]


def _places(path: Path, sha256: str | None) -> list[Path]:
    """Where something may be kept for a model file, the best name first."""
    names = [] if sha256 is None else [f"sha256-{sha256}"]
    with contextlib.suppress(OSError):
        names.append(f"file-{digest_of(path)}")
    return [data_dir() / _FOLDER / f"{name}.json" for name in names]


def _all_places() -> list[Path]:
    try:
        return sorted((data_dir() / _FOLDER).glob("*.json"))
    except OSError:
        return []


def _name(here: TuningConditions) -> str:
    return f"{here.cpu}, {here.cores}, {here.build}"


def _holds(one: Tuned, here: TuningConditions) -> bool:
    return one.holds_for(here.cpu, here.cores, here.build)


def _read(places: Iterable[Path]) -> _Content:
    """What is in ``places``, together; what cannot be read is left out."""
    found = _Content()
    for place in places:
        try:
            data = json.loads(read_small(place, _LARGEST_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, Mapping):
            found.entries += _entries(data.get("tuned"))
            found.told |= {str(one) for one in _list(data.get("told"))}
            found.marks |= _marks(data.get("marks"))
    return found


def _entries(data: Any) -> list[Tuned]:
    found = []
    for one in _list(data):
        with contextlib.suppress(ValueError):
            if isinstance(one, Mapping):
                found.append(Tuned.from_data(one))
    return found


def _marks(data: Any) -> dict[str, TuningConditions]:
    found = {}
    for mark, one in data.items() if isinstance(data, Mapping) else ():
        with contextlib.suppress(TypeError):
            found[str(mark)] = TuningConditions(**one)
    return found


def _list(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []


def _write(place: Path, content: _Content) -> None:
    data = {
        "tuned": [one.to_data() for one in content.entries],
        "told": sorted(content.told),
        "marks": {mark: asdict(one) for mark, one in content.marks.items()},
    }
    write_atomically(place, json.dumps(data, indent=1).encode() + b"\n")
