"""Folders that are complete or not there: what a run can continue from."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.adapters.safetensors import read_safetensors
from phicli.errors import PhiError
from phicli.finetune.run_files import is_count, is_number, object_in
from phicli.hub.peft_files import CONFIG, WEIGHTS

KEPT: Final = 2
"""Checkpoints that are kept."""
_NAME: Final = re.compile(r"step-(\d{7,})")
_STATE: Final = "state.json"
_STATE_BYTES: Final = 1 << 30
"""It has a loss for each step."""
_CURVES: Final = ("losses", "validations")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint: its folder, how many steps were done, and what the run remembered."""

    folder: Path
    step: int
    state: Mapping[str, Any]


def write_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Make the folder ``target`` with what ``write`` puts into the folder that it gets; a former one is replaced.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    restore(target)
    trial = target.with_name(f".{target.name}.new")
    shutil.rmtree(trial, ignore_errors=True)
    try:
        trial.mkdir()
        write(trial)
        for path in (*trial.rglob("*"), trial):
            _flush(path)
        before = _former(target)
        if target.exists():
            target.rename(before)
        trial.rename(target)
        _flush(target.parent)
        shutil.rmtree(before, ignore_errors=True)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def restore(target: Path) -> None:
    """Put back the folder that was to be replaced when the process was killed between two renames.

    Raises:
        OSError: it cannot be renamed.
    """
    before = _former(target)
    if before.is_dir() and not target.exists():
        before.rename(target)
    shutil.rmtree(before, ignore_errors=True)


def _former(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def save(folder: Path, step: int, state: Mapping[str, Any], write: Callable[[Path], None]) -> Checkpoint:
    """Write a checkpoint into ``folder`` and remove all but the last two.

    Raises:
        OSError: it cannot be written; those before it are still there.
    """
    target = folder / f"step-{step:07}"

    def all_of_it(trial: Path) -> None:
        write(trial)
        (trial / _STATE).write_text(json.dumps({**state, "step": step}), encoding="utf-8")

    write_folder(target, all_of_it)
    for old in _complete(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Checkpoint(target, step, state)


def latest(folder: Path) -> Checkpoint | None:
    """The last checkpoint in ``folder`` that can be read; None where there is none."""
    for path in reversed(_complete(folder)):
        found = _read(path)
        if found is not None:
            return found
    return None


def damaged(folder: Path) -> tuple[str, ...]:
    """The names of the checkpoints in ``folder`` that cannot be read, the last one first."""
    return tuple(path.name for path in reversed(_complete(folder)) if _read(path) is None)


def is_adapter(folder: Path) -> bool:
    """Whether ``folder`` has a complete adapter, as PEFT saves it."""
    return object_in(folder / CONFIG) is not None and _is_whole(folder / WEIGHTS)


def _read(folder: Path) -> Checkpoint | None:
    """The checkpoint in ``folder``; None where something of it is missing or damaged."""
    state, step = object_in(folder / _STATE, _STATE_BYTES) or {}, _step_of(folder)
    if state.get("step") != step or not is_count(state.get("worse")):
        return None
    if not all(_is_curve(state.get(name), step) for name in _CURVES):
        return None
    if not is_adapter(folder / "adapter") or not _is_whole(folder / "optimizer.safetensors"):
        return None
    return Checkpoint(folder, step, {name: [*map(tuple, state[name])] for name in _CURVES} | {"worse": state["worse"]})


def _is_curve(points: Any, step: int) -> bool:
    """Whether ``points`` are steps up to ``step``, each with a loss."""
    return isinstance(points, list) and all(
        isinstance(point, list) and len(point) == 2 and is_count(point[0]) and 0 < point[0] <= step
        and is_number(point[1])
        for point in points
    )  # fmt: skip


def _is_whole(path: Path) -> bool:
    try:
        read_safetensors(path)
    except PhiError:
        return False
    return True


def _complete(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=_step_of)


def _step_of(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk; Windows has no such thing for folders."""
    if os.name == "nt" and path.is_dir():
        return
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
