"""Which native kernels the worker loads, and why others are not used. Imports little, like ``kernels.py``."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from phicli.engine.kernels import (
    TOLD,
    Choice,
    Kernels,
    build_folders,
    damage_of,
    failure_of,
    folder_problem,
    kernels_folder,
    read_choice,
    saved_kernels,
)  # fmt: skip
from phicli.engine.package import ENGINE_PACKAGE, engine_version
from phicli.engine.processor import processor_name
from phicli.paths import read_small, write_atomically

BUILD_COMMAND: Final = "phi engine build"

_told: set[str] = set()
"""Notices that this process has printed and could not record."""

_WHEEL_CHOSEN: Final = "the kernels of the wheel were chosen"


class Stage(IntEnum):
    """What decides whether kernels are used, in this order."""

    ENGINE = 0
    PROCESSOR = 1
    CHOICE = 2
    FILE = 3


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why kernels cannot be used: the first stage that they did not pass, and the reason in words."""

    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class InUse:
    """The kernels that the worker will load; None for those of the wheel. ``reason`` says why, in words.

    ``notice`` says what a person has to do about kernels that cannot be used; empty if nothing is to be done.
    ``missing`` is true where no kernels were built for this engine and processor, so that a build may bring something.
    """

    kernels: Kernels | None
    reason: str
    notice: str = ""
    missing: bool = False

    @property
    def path(self) -> Path | None:
        """The module; None for the kernels of the wheel."""
        return self.kernels.path if self.kernels else None


def kernels_in_use(engine: str, platform: str = sys.platform) -> InUse:
    """The kernels that the worker loads with version ``engine`` of xllamacpp, and the reason.

    They are the fastest that :func:`why_not` has nothing against. Where there are none, the reason is that of the
    build which comes closest.
    """
    if problem := unsupported(platform):
        return InUse(None, problem)
    choice = read_choice()
    if choice == "wheel":
        return InUse(None, f"{_WHEEL_CHOSEN}; use others: phi engine use auto")
    closest: WhyNot | None = None
    for kernels in sorted(saved_kernels(), key=lambda kernels: -kernels.prompt_ratio):
        why = why_not(kernels, engine, choice)
        if why is None:
            return InUse(kernels, f"built for {kernels.processor}")
        closest = why if closest is None or why.stage > closest.stage else closest
    if closest is None:
        problem = folder_problem()
        return InUse(None, problem or "no native kernels were built", missing=not problem)
    reason = f"the native kernels are not used: {closest.reason}"
    decided = closest.stage == Stage.CHOICE
    notice = "" if decided else f"{reason}; build them again: {BUILD_COMMAND}"
    return InUse(None, reason, notice, missing=closest.stage < Stage.CHOICE)


def why_not(kernels: Kernels, engine: str, choice: Choice) -> WhyNot | None:
    """Why these kernels cannot be used with version ``engine`` of xllamacpp; None where they can."""
    if kernels.engine != engine:
        reason = f"they are for {ENGINE_PACKAGE} {kernels.engine}, but {engine or 'none'} is installed"
        return WhyNot(Stage.ENGINE, reason)
    if kernels.processor != processor_name():
        return WhyNot(Stage.PROCESSOR, f"they were built for another processor: {kernels.processor}")
    if choice == "wheel":
        return WhyNot(Stage.CHOICE, _WHEEL_CHOSEN)
    if choice == "auto" and not kernels.is_faster:
        return WhyNot(Stage.CHOICE, "they were not faster than those of the wheel in their trial")
    problem = failure_of(kernels) or damage_of(kernels)
    return WhyNot(Stage.FILE, problem) if problem else None


def unsupported(platform: str = sys.platform) -> str:
    """Why this system can have no native kernels; empty where it can.

    Args:
        platform: ``sys.platform`` of the system.
    """
    if platform == "win32":
        return "native kernels do not work on Windows: the engine there lacks the functions that load them"
    return ""


def installed_kernels() -> InUse:
    """:func:`kernels_in_use` of the installed engine. Its version is read only if kernels were built."""
    return kernels_in_use(engine_version() if build_folders() else "")


def first_time(notice: str) -> bool:
    """Whether ``notice`` was not printed before; it is then recorded as printed."""
    path = kernels_folder() / TOLD
    told: list[str] = []
    with contextlib.suppress(OSError):
        told = read_small(path).decode(errors="replace").splitlines()
    if notice in told or notice in _told:
        return False
    try:
        write_atomically(path, "\n".join([*told, notice, ""]).encode())
    except OSError:
        _told.add(notice)
    return True
