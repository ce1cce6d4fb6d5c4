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

KEPT: Final = 2
"""Checkpoints that are kept."""
_NAME: Final = re.compile(r"step-(\d{7,})")
_STATE: Final = "state.json"
_ADAPTER: Final = ("adapter_model.safetensors", "adapter_config.json")


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
    weights, config = (folder / name for name in _ADAPTER)
    return config.is_file() and _is_whole(weights)


def _read(folder: Path) -> Checkpoint | None:
    """The checkpoint in ``folder``; None where something of it is missing or damaged."""
    try:
        state = json.loads((folder / _STATE).read_bytes())
        step, worse = int(state["step"]), int(state["worse"])
        curves = {name: [(int(at), float(loss)) for at, loss in state[name]] for name in ("losses", "validations")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    if not is_adapter(folder / "adapter") or not _is_whole(folder / "optimizer.safetensors"):
        return None
    return Checkpoint(folder, step, {**curves, "worse": worse})


def _is_whole(path: Path) -> bool:
    try:
        read_safetensors(path)
    except PhiError:
        return False
    return True


def _complete(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk; Windows has no such thing for folders."""
    if os.name == "nt" and path.is_dir():
        return
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
