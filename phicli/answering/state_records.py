"""The saved KV states of sessions on disk: their records, how many there may be, and which go first.

Each session has up to three files in ``session-states`` in the cache folder: the state as the engine wrote it, a record
of what it belongs to, and a lock for whoever writes them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from phicli.engine.leaving import part_facts, taken
from phicli.paths import cache_dir, read_small

MOST_BYTES: Final = 2_000_000_000
"""Of all states together."""
LEAST_FREE_BYTES: Final = 1 << 30
"""A disk is never filled further than this."""
_FORMAT: Final = 1
_SESSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A part of a model file as it was loaded; ``sha256`` None where that is unknown."""

    path: str
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    sha256: str | None

    def is_same(self, now: ModelPart) -> bool:
        """Whether the file ``now`` has the same content: it was not changed since, or has the same hash."""
        unchanged = all(getattr(self, name.name) == getattr(now, name.name) for name in fields(self)[:-1])
        return unchanged or (self.sha256 is not None and self.sha256 == now.sha256)


@dataclass(frozen=True, slots=True)
class StateKey:
    """What a state belongs to: restored elsewhere, it gives wrong tokens without an error.

    ``adapters`` has the hashes and scales of the adapters in use (:class:`~phicli.answering.adapter_mark.AdapterMark`).
    """

    build: str
    long_factors: bool
    flash_attention: str
    kv_type: str
    adapters: str = ""


@dataclass(frozen=True, slots=True)
class StateRecord:
    """A saved state of ``tokens`` tokens in a file of ``size_bytes``, with the hash of that file."""

    key: StateKey
    model: tuple[ModelPart, ...]
    tokens: int
    size_bytes: int
    sha256: str


_Facts = TypeVar("_Facts", ModelPart, StateKey, StateRecord)


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where the state of a session is, if there is one."""

    state: Path
    record: Path
    lock: Path

    def read(self) -> StateRecord | None:
        """The record; None where there is no state.

        Raises:
            ValueError: the record is damaged, or there is no state beside it.
        """
        try:
            content = read_small(self.record)
        except FileNotFoundError:
            if self.state.exists():
                raise ValueError(self.state) from None
            return None
        except OSError:
            return None
        record = _parsed(content)
        try:
            size = self.state.stat().st_size
        except OSError as error:
            raise ValueError(self.state) from error
        if size != record.size_bytes:
            raise ValueError(self.state)
        return record

    def used(self) -> None:
        """Remember that the state was used now."""
        with contextlib.suppress(OSError):
            os.utime(self.record)

    def discard(self) -> bool:
        """Delete a state that is of no use, unless another process saves a new one; returns whether it was deleted."""
        with contextlib.suppress(OSError):
            lock = taken(self.lock, wait_s=0)
            if lock is None:
                return False
            try:
                self.record.unlink(missing_ok=True)
                self.state.unlink(missing_ok=True)
                return True
            finally:
                os.close(lock)
        return False

    def remove(self) -> None:
        """Delete the files, the lock first: a process that still saves deletes its own files then."""
        for path in (self.lock, self.record, self.state):
            with contextlib.suppress(OSError):
                path.unlink()


def states_folder() -> Path:
    """Where the states of sessions are. Not created here."""
    return cache_dir() / "session-states"


def is_session_id(text: str) -> bool:
    """Whether ``text`` can be the id of a session, and so the name of a file."""
    return _SESSION.fullmatch(text) is not None


def place_of(session_id: str) -> StatePlace:
    """Where the state of a session is; for an id that :func:`is_session_id`."""
    folder = states_folder()
    return StatePlace(*(folder / f"{session_id}.{end}" for end in ("state", "json", "lock")))


def model_parts(parts: Sequence[Path]) -> tuple[ModelPart, ...]:
    """The parts of a model file as they are now, without hashes.

    Raises:
        OSError: one is missing.
    """
    return tuple(ModelPart(**part_facts(path), sha256=None) for path in parts)


def with_hashes(parts: Sequence[ModelPart]) -> tuple[ModelPart, ...]:
    """``parts`` with the hashes that are known, where the files did not change since."""
    from phicli.hub import verified

    found = []
    for part in parts:
        record = verified.recorded(Path(part.path))
        known = record is not None and (record.size_bytes, record.mtime_ns) == (part.size_bytes, part.mtime_ns)
        found.append(replace(part, sha256=record.sha256) if record is not None and known else part)
    return tuple(_remembered(found))


def make_room(size_bytes: int, place: StatePlace) -> bool:
    """Delete the states that were not used for longest until one of ``size_bytes`` may be saved at ``place``.

    Returns whether it may. If not, nothing is deleted.
    """
    import shutil

    others = [other for other in _oldest_first() if other.state != place.state]
    sizes = [_size(other.state) for other in others]
    too_many = sum(sizes) + size_bytes - MOST_BYTES
    too_little = LEAST_FREE_BYTES + size_bytes - shutil.disk_usage(place.state.parent).free
    excess = max(too_many, too_little)
    if size_bytes > MOST_BYTES or excess > sum(sizes):
        return False
    for other, size in zip(others, sizes, strict=True):
        if excess <= 0:
            break
        other.remove()
        excess -= size
    return True


def _oldest_first() -> Sequence[StatePlace]:
    """All states, also those without a record; those that were not used for longest come first."""
    places = []
    with contextlib.suppress(OSError):
        for path in states_folder().iterdir():
            if path.suffix == ".state":
                place = StatePlace(path, path.with_suffix(".json"), path.with_suffix(".lock"))
                places.append((_used_at(place), place))
    return [place for _, place in sorted(places, key=lambda pair: pair[0])]


def _remembered(parts: Sequence[ModelPart]) -> Iterator[ModelPart]:
    """``parts`` with the hashes that are in the records of states, where the files did not change since."""
    unknown = any(part.sha256 is None for part in parts)
    known = [old for record in _records() for old in record.model] if unknown else []
    for part in parts:
        same = (old for old in known if old.sha256 is not None and old.is_same(part))
        yield part if part.sha256 is not None else next(same, part)


def _records() -> Iterator[StateRecord]:
    for place in _oldest_first():
        with contextlib.suppress(ValueError):
            if record := place.read():
                yield record


def _used_at(place: StatePlace) -> float:
    for path in (place.record, place.state):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _parsed(content: bytes) -> StateRecord:
    try:
        data = json.loads(content)
        if data["format"] != _FORMAT:
            raise ValueError(data["format"])
        record = StateRecord(
            key=_checked(StateKey(**data["key"])),
            model=tuple(_checked(ModelPart(**part)) for part in data["model"]),
            tokens=data["tokens"],
            size_bytes=data["size_bytes"],
            sha256=data["sha256"],
        )
        return _checked(record)
    except (TypeError, KeyError, RecursionError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _checked(record: _Facts) -> _Facts:
    """``record``, if the numbers and hashes in it can be what they should be.

    Raises:
        ValueError: they cannot.
    """
    for field in fields(record):
        value, kind = getattr(record, field.name), str(field.type)
        sound = {
            "int": isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST,
            "bool": isinstance(value, bool),
            "str": isinstance(value, str),
            "str | None": value is None or isinstance(value, str),
        }.get(kind, True)
        is_hash = field.name != "sha256" or (isinstance(value, str) and _SHA256.fullmatch(value) is not None)
        if not sound or not is_hash:
            raise ValueError(field.name)
    return record


def record_facts(key: StateKey) -> Mapping[str, Any]:
    """The beginning of a record, as :func:`phicli.engine.leaving.leave` takes it."""
    return {"format": _FORMAT, "key": asdict(key)}
