"""Carries the state of an engine over to an engine with a larger context, in a temporary file.

A state belongs to the file it was computed from, to the build of the engine, the rope factors, flash attention and the
KV cache type. A state that is restored elsewhere gives wrong tokens without an error, and a damaged state can end the
engine. So each state has a key and a hash. If they differ, or anything fails, everything is evaluated again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.engine.closable import Closing
from phicli.engine.leaving import digest
from phicli.engine.state_types import KeepsState
from phicli.engine.types import Engine
from phicli.errors import EngineDiedError, EngineError
from phicli.gguf_file.names import parts_of
from phicli.hardware.disk import is_in_memory
from phicli.paths import cache_dir, temporary_dir
from phicli.plan.load import LoadPlan

_PREFIX: Final = "phi-state-"
_GIVEN_AWAY: Final = "given-away"
_LEAST_FREE_BYTES: Final = 1 << 30
"""On a disk with less, a state of many tokens would not be saved: then better begin with the usual context."""
_KEEP_FREE_BYTES: Final = 256 << 20
_LEFT_BEHIND_S: Final = 600
"""A folder that was given away and is older belongs to nobody: the process that got it has ended by then."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """A state in the file at ``path``: what it belongs to, the hash of the file, and the tokens it stands for."""

    path: Path
    key: Hashable
    sha256: str
    token_ids: tuple[int, ...]


class StateCarrier:
    """Saves and restores the states of engines that have the same file loaded.

    Args:
        folder: the temporary place of states; the engines were loaded with it.
        model: the file that the engines load; constructed before any of them does.
        load_key: what a state depends on besides file and build, of an engine with that context.
        most_bytes: the largest size of the state of an engine with that context.
    """

    def __init__(
        self, folder: Path, model: Path, *, load_key: Callable[[int], Hashable], most_bytes: Callable[[int], int]
    ) -> None:
        self._folder, self._model = folder, model
        self._load_key, self._most_bytes = load_key, most_bytes
        self._loaded = _identity(model)

    @contextlib.contextmanager
    def saved(
        self, engine: Engine, context_tokens: int, closing: Closing | None, *, ids: bool
    ) -> Iterator[SavedState | None]:
        """The state of ``engine``, for an engine with ``context_tokens``. Its file is deleted when the context ends.

        None if the state cannot be saved, or if it would be useless there and the token ``ids`` are not needed.
        """
        path = self._folder / "state"
        try:
            yield self._save(engine, context_tokens, path, closing, ids=ids)
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def restore(self, state: SavedState, engine: Engine, closing: Closing | None) -> bool:
        """Restore ``state`` in ``engine``, and return whether that worked. If not, the engine has evaluated nothing.

        Raises:
            EngineDiedError: the engine is no longer of use.
        """
        if not state.token_ids:
            return True
        if not isinstance(engine, KeepsState) or state.key != self._key(engine, _identity(self._model)):
            return False
        try:
            whole = digest(state.path) == state.sha256
            return whole and engine.restore_state(state.path, closing) == len(state.token_ids)
        except EngineDiedError:
            raise
        except (OSError, EngineError):
            return False

    def _save(
        self, engine: Engine, context_tokens: int, path: Path, closing: Closing | None, *, ids: bool
    ) -> SavedState | None:
        fits = self._load_key(engine.context_tokens) == self._load_key(context_tokens)
        if not isinstance(engine, KeepsState) or not (fits or ids):
            return None
        try:
            if not has_room(self._folder, self._most_bytes(engine.context_tokens)):
                return None
            token_ids = engine.save_state(path, closing)
            return SavedState(path, self._key(engine, self._loaded), digest(path), token_ids)
        except (OSError, EngineError):
            return None

    def _key(self, engine: Engine, identity: Hashable) -> Hashable:
        build = engine.build if isinstance(engine, KeepsState) else ""
        return identity, build, self._load_key(engine.context_tokens)


def carrier_of(plan: LoadPlan, folder: Path) -> StateCarrier:
    """The carrier of the states of engines that load the file of ``plan``."""

    def load_key(context_tokens: int) -> Hashable:
        engine = plan.settings_for(context_tokens).engine
        return plan.context.has_long_factors(context_tokens), engine.flash_attention, engine.kv_type

    return StateCarrier(folder, plan.settings.model_path, load_key=load_key, most_bytes=plan.state_bytes)


@contextlib.contextmanager
def state_folder() -> Iterator[Path | None]:
    """A temporary folder that only this user may read, on a disk with enough space; None where no disk has enough.

    Folders that killed processes left behind are removed. One that is given away (:func:`give_away`) stays.
    """
    import shutil

    folder = _private_folder(cache_dir()) or _private_folder(temporary_dir())
    try:
        yield folder
    finally:
        if folder is not None and not (folder / _GIVEN_AWAY).exists():
            shutil.rmtree(folder, ignore_errors=True)


def has_room(folder: Path, state_bytes: int) -> bool:
    """Whether a state of that size can be saved in ``folder``, and the disk is not full then.

    Raises:
        OSError: there is no such folder.
    """
    import shutil

    return shutil.disk_usage(folder).free >= state_bytes + _KEEP_FREE_BYTES


def give_away(folder: Path) -> None:
    """From now on another process owns the ``folder`` of :func:`state_folder`, and deletes it.

    Raises:
        OSError: that cannot be noted; the folder is deleted here.
    """
    (folder / _GIVEN_AWAY).touch()


def take_back(folder: Path) -> None:
    """The opposite of :func:`give_away`."""
    with contextlib.suppress(OSError):
        (folder / _GIVEN_AWAY).unlink()


def _private_folder(base: Path) -> Path | None:
    import shutil

    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_leftovers(base)
        if shutil.disk_usage(base).free < _LEAST_FREE_BYTES or is_in_memory(base):
            return None
        return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
    except OSError:
        return None


def _remove_leftovers(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            changed = folder.stat().st_mtime
            is_fresh = time.time() - changed <= _LEFT_BEHIND_S
            if is_fresh and (folder / _GIVEN_AWAY).exists():
                continue
            if not _is_running(int(folder.name.removeprefix(_PREFIX).partition("-")[0]), changed):
                import shutil

                shutil.rmtree(folder)


def _is_running(pid: int, since: float) -> bool:
    """Whether the process ``pid`` runs and was there at the time ``since``: a later one can have its number."""
    import psutil

    try:
        return bool(psutil.Process(pid).create_time() <= since + 1)
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OverflowError):
        return True


def _identity(model: Path) -> Hashable:
    """Identifies a file with its parts, so that a file that replaces one is noticed; a missing one is equal to none."""
    try:
        statuses = [(str(part), part.stat()) for part in parts_of(model)]
    except OSError:
        return object()
    return tuple((name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) for name, found in statuses)
