"""The kernels that the engine can use here: which of them it uses, why not the others, and their removal."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.engine.kernels import CHOICES, build_folders, build_name, read_choice, read_manifest, write_choice
from phicli.engine.package import ENGINE_PACKAGE, engine_version
from phicli.engine.processor import processor_name
from phicli.engine.used_kernels import InUse, kernels_in_use, why_not
from phicli.errors import NotFoundError, UsageError
from phicli.hardware.commands import SYSTEM
from phicli.hardware.cpu_facts import describe_cpu
from phicli.hardware.engine_answer import ask_engine
from phicli.hardware.native_gains import possible_gain

WHEEL: Final = "wheel"
"""The name of the kernels that come with the engine."""


@dataclass(frozen=True, slots=True)
class Row:
    """Kernels that were found: their ``variant`` (``wheel`` for those of the wheel), whether they are in use, and why.

    ``folder`` and its size are empty for those of the wheel, which cannot be removed.
    """

    name: str
    build: str
    variant: str
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
    return (wheel, *(_row(folder, engine, used) for folder in build_folders()))


def worth_a_build() -> bool:
    """Whether ``phi engine build`` would bring something here that was not built yet."""
    if not kernels_in_use(engine_version()).missing:
        return False
    return possible_gain(describe_cpu()[0].instruction_sets, lambda: ask_engine(SYSTEM).features) is not None


def find(name: str) -> Row:
    """The build called ``name``: by its whole name, or by its variant where that is the only one.

    Raises:
        UsageError: the name is that of the wheel, or of several builds.
        NotFoundError: no build has the name.
    """
    if name == WHEEL:
        raise UsageError(f"the kernels of the wheel are a part of the package {ENGINE_PACKAGE}", "name another build")
    built = rows()[1:]
    candidates = [row for row in built if row.name == name] or [row for row in built if name and row.variant == name]
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
    if row.folder is not None and row.folder.is_symlink():
        row.folder.unlink()
    elif row.folder is not None:
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
    return [folder.name for folder in build_folders()]


def _row(folder: Path, engine: str, used: InUse) -> Row:
    size = _size(folder)
    kernels = read_manifest(folder)
    if kernels is None:
        return Row(folder.name, "", "", "", False, "its manifest is missing or damaged", folder, size)
    in_use = used.kernels is not None and used.kernels.path == kernels.path
    why = why_not(kernels, engine, read_choice())
    reason = used.reason if in_use else why.reason if why else "others were faster in their trial"
    build = build_name(kernels.engine, kernels)
    return Row(folder.name, build, kernels.variant, kernels.processor, in_use, reason, folder, size)


def _size(folder: Path) -> int:
    """The bytes of its files; 0 for a folder that cannot be read, and for a link to one."""
    if folder.is_symlink():
        return 0
    try:
        return sum(path.lstat().st_size for path in folder.iterdir() if path.is_file())
    except OSError:
        return 0
