"""The kernels that the engine can use here: which of them it uses, why not the others, and their removal."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.engine.kernels import (
    CHOICES,
    InUse,
    Kernels,
    build_name,
    damage_of,
    failure_of,
    kernels_folder,
    kernels_in_use,
    read_choice,
    read_manifest,
    write_choice,
)  # fmt: skip
from phicli.engine.package import ENGINE_PACKAGE, engine_version
from phicli.engine.processor import processor_name
from phicli.errors import NotFoundError, UsageError

WHEEL: Final = "wheel"
"""The name of the kernels that come with the engine."""


@dataclass(frozen=True, slots=True)
class Row:
    """Kernels that were found: ``kernels`` is the variant, ``reason`` says why they are in use, or why not.

    ``folder`` and its size are empty for those of the wheel, which cannot be removed.
    """

    name: str
    build: str
    kernels: str
    processor: str
    in_use: bool
    reason: str
    folder: Path | None = None
    size_bytes: int = 0


def rows() -> tuple[Row, ...]:
    """The kernels of the wheel, then the builds, sorted by name."""
    engine = engine_version()
    used = kernels_in_use(engine)
    wheel_reason = used.reason if used.kernels is None else "native kernels are in use"
    wheel = Row(WHEEL, build_name(engine), WHEEL, processor_name(), used.kernels is None, wheel_reason)
    return (wheel, *(_row(folder, engine, used) for folder in _folders()))


def find(name: str) -> Row:
    """The build called ``name``: by its whole name, or by its variant where that is the only one.

    Raises:
        UsageError: the name is that of the wheel, or of several builds.
        NotFoundError: no build has the name.
    """
    if name == WHEEL:
        raise UsageError(f"the kernels of the wheel are a part of the package {ENGINE_PACKAGE}", "name another build")
    built = rows()[1:]
    candidates = [row for row in built if row.name == name] or [row for row in built if row.kernels == name]
    if not candidates:
        raise NotFoundError(f"native kernels not found: {name!r}", "list their names: phi engine list")
    if len(candidates) > 1:
        names = ", ".join(row.name for row in candidates)
        raise UsageError(f"several native kernels are called {name!r}", f"choose one of {names}")
    return candidates[0]


def remove(row: Row) -> None:
    """Remove the build.

    Raises:
        OSError: it cannot be removed.
    """
    if row.folder is not None:
        shutil.rmtree(row.folder)


def choose(typed: str) -> str:
    """Save which kernels are used from now on, and return the choice.

    Raises:
        UsageError: the choice is unknown.
        PhiError: it cannot be saved.
    """
    choice = next((choice for choice in CHOICES if choice == typed.lower()), None)
    if choice is None:
        raise UsageError(f"unknown choice of kernels: {typed!r}", f"choose one of {', '.join(CHOICES)}")
    write_choice(choice)
    return choice


def names() -> list[str]:
    """The names of all builds."""
    return [folder.name for folder in _folders()]


def _folders() -> list[Path]:
    try:
        return sorted(path for path in kernels_folder().iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _row(folder: Path, engine: str, used: InUse) -> Row:
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    kernels = read_manifest(folder)
    if kernels is None:
        return Row(folder.name, "", "", "", False, "its manifest is missing or damaged", folder, size)
    in_use = used.kernels is not None and used.kernels.path == kernels.path
    reason = used.reason if in_use else _why_not(kernels, engine)
    build = build_name(kernels.engine, kernels)
    return Row(folder.name, build, kernels.variant, kernels.processor, in_use, reason, folder, size)


def _why_not(kernels: Kernels, engine: str) -> str:
    choice = read_choice()
    if kernels.engine != engine:
        return f"they belong to {ENGINE_PACKAGE} {kernels.engine}, but {engine or 'none'} is installed"
    if kernels.processor != processor_name():
        return "they were built for another processor"
    if problem := failure_of(kernels) or damage_of(kernels):
        return problem
    if choice == WHEEL:
        return "the kernels of the wheel were chosen"
    if choice == "auto" and not kernels.is_faster:
        return "they were not faster than those of the wheel in their trial"
    return "others were faster in their trial"
