"""What tuning found, on disk: one small JSON file for each model file, under ``tuned`` in the data folder.

The file is called after the SHA-256 of the model file where that is known (it was downloaded or verified), else after
a digest of its size, its modification time and its first and last 64 KiB: that can be told in a millisecond, and
changes with every file that was written again. A model file that is hashed later is still found by the digest. In it
is an entry for each processor (one home may serve several machines) and engine, and the mark of the machine
(:mod:`phicli.records.machine_mark`) that it was found on, which saves a chat from naming the processor again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from phicli.engine.starting import DEFAULT_ENGINE, EngineChoice, build_of
from phicli.errors import EngineError, NotFoundError
from phicli.records.machine_mark import machine_mark
from phicli.records.tuned import Tuned
from phicli.records.tuned_content import (
    Content,
    TuningConditions,
    all_places,
    places_of,
    read_content,
    write_content,
)

Here = Callable[[], TuningConditions]
_DEFAULT: Final = EngineChoice()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept for a file: the entry that holds here and now, and the newest one that does not.

    ``told`` says that somebody was told already that what is kept is ``stale``; ``here`` is for :func:`mark_told`.
    """

    current: Tuned | None = None
    stale: Tuned | None = None
    told: bool = False
    here: str = ""


def conditions_here() -> TuningConditions:
    """Those of this machine and the installed engine; takes some tens of milliseconds."""
    from phicli.hardware.cpu_facts import describe_cpu

    cpu, _ = describe_cpu()
    return TuningConditions(cpu.name, cpu.physical_cores, build_of())


def find_tuned(
    path: Path,
    sha256: str | None,
    here: Here = conditions_here,
    mark: Callable[[], str | None] = machine_mark,
    *,
    engine: EngineChoice = _DEFAULT,
) -> Kept:
    """What is kept for the model file at ``path`` and an engine.

    Args:
        path: the model file.
        sha256: its hash where that is known without reading the file.
        here: tells the conditions; only asked where there is anything, and where the mark is a new one.
        mark: tells the mark of the machine; only asked where there is anything.
        engine: the engine that is going to run.
    """
    content = read_content(places_of(path, sha256))
    entries = [one for one in content.entries if one.engine == engine.name]
    if not entries:
        return Kept()
    now = content.marks.get(mark() or "") or here()
    if engine.name != DEFAULT_ENGINE:
        now = replace(now, build=_build_now(engine))
    newest = sorted(entries, key=lambda one: one.made_at, reverse=True)
    current = next((one for one in newest if _holds(one, now)), None)
    stale = None if current else newest[0]
    return Kept(current, stale, _name(now) in content.told, _name(now))


def find_faster(
    path: Path,
    sha256: str | None,
    use: str,
    here: Here = conditions_here,
    mark: Callable[[], str | None] = machine_mark,
) -> Kept:
    """What is kept of the engine that was measured to be faster than the default one for ``use`` on this machine.

    It holds while its program is there, and while both engines have the builds that were compared. The arguments are
    those of :func:`find_tuned`.
    """
    content = read_content(places_of(path, sha256))
    entries = [one for one in content.entries if use in one.faster]
    if not entries:
        return Kept()
    now = content.marks.get(mark() or "") or here()
    here_too = (one for one in entries if (one.cpu, one.cores) == (now.cpu, now.cores))
    fastest = max(here_too, key=lambda one: one.faster[use], default=None)
    if fastest is None:
        return Kept()
    build = _build_now(engine_of(fastest))
    name = f"{_name(now)}; {build}"
    if (fastest.build, fastest.faster_than) == (build, now.build):
        return Kept(fastest, here=name)
    return Kept(stale=fastest, told=name in content.told, here=name)


def find_every(path: Path, sha256: str | None) -> tuple[Tuned, ...]:
    """What holds here and now for the model file at ``path``, of each engine that is still there."""
    found: list[Tuned] = []
    for engine in dict.fromkeys(engine_of(one) for one in read_content(places_of(path, sha256)).entries):
        current = find_tuned(path, sha256, engine=engine).current
        found += [current] if current is not None and current not in found else []
    return tuple(found)


def engine_of(tuned: Tuned) -> EngineChoice:
    """The engine that was tuned."""
    return EngineChoice(tuned.engine, None if tuned.program is None else Path(tuned.program))


def save_tuned(tuned: Tuned, path: Path, sha256: str | None, mark: str | None = None) -> Path:
    """Save ``tuned`` instead of older settings for the same processor and engine, for any build.

    Args:
        tuned: what was found.
        path: the model file.
        sha256: its hash where that is known.
        mark: that of the machine on which it was found, which has to be this one.

    Returns:
        The file.

    Raises:
        OSError: it cannot be written.
    """
    places = places_of(path, sha256)
    content = read_content(places)
    about = (tuned.cpu, tuned.cores, tuned.engine)
    kept = [tuned, *(one for one in content.entries if (one.cpu, one.cores, one.engine) != about)]
    marks = {name: one for name, one in content.marks.items() if any(_holds(entry, one) for entry in kept)}
    if mark is not None and tuned.engine == DEFAULT_ENGINE:  # the conditions of a mark have that one's build
        marks[mark] = TuningConditions(tuned.cpu, tuned.cores, tuned.build)
    write_content(places[0], Content(kept, set(), marks))
    for place in places[1:]:
        with contextlib.suppress(OSError):
            place.unlink()
    return places[0]


def mark_told(path: Path, sha256: str | None, here: str) -> None:
    """Record that a person was told that the settings saved for ``path`` are stale; a failure to do so is ignored.

    ``here`` is that of what is :class:`Kept`.
    """
    for place in places_of(path, sha256):
        content = read_content([place])
        if content.entries:
            content.told.add(here)
            with contextlib.suppress(OSError):
                write_content(place, content)


def forget_tuned(path: Path, sha256: str | None) -> bool:
    """Forget what is kept for ``path``; whether there was anything.

    Raises:
        OSError: it cannot be removed.
    """
    there = [place for place in places_of(path, sha256) if place.is_file()]
    for place in there:
        place.unlink()
    return bool(there)


def forget_all_tuned() -> int:
    """Forget everything; the number of model files that something was kept for.

    Raises:
        OSError: something cannot be removed.
    """
    there = all_places()
    for place in there:
        place.unlink(missing_ok=True)
    return len(there)


def all_tuned(here: TuningConditions) -> tuple[Tuned, ...]:
    """All of the default engine that holds under ``here``, the newest first; what cannot be read is left out."""
    found = [one for place in all_places() for one in read_content([place]).entries if _holds(one, here)]
    return tuple(sorted(found, key=lambda one: one.made_at, reverse=True))


def _build_now(engine: EngineChoice) -> str:
    """The build of ``engine``; empty where its program is missing or cannot report it."""
    try:
        return build_of(engine.name, engine.program)
    except (NotFoundError, EngineError):
        return ""


def _name(here: TuningConditions) -> str:
    return f"{here.cpu}, {here.cores}, {here.build}"


def _holds(one: Tuned, here: TuningConditions) -> bool:
    return one.holds_for(here.cpu, here.cores, here.build)
