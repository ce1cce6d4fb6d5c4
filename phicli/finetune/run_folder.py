"""The folder of a run: what it is, what it learns from, how far it is, and what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.errors import IntegrityError, UsageError
from phicli.finetune.checkpoints import is_adapter, latest
from phicli.finetune.run_files import FORMAT, read_result, read_run
from phicli.hub.write_errors import new_folders
from phicli.jobs.locking import LockFile
from phicli.paths import write_output

_RUN: Final = "run.json"
_RESULT: Final = "result.json"
_PIECE: Final = 1 << 20
_DATA: Final = ("train.jsonl", "train.tokens", "validation.jsonl", "validation.tokens")
"""What is made of the data before the training starts."""
_BEGUN: Final = (_RUN, *_DATA, "training.log")
"""What a run has left that ended before anything was learned, in the order in which it is removed."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths in the folder of a run."""

    path: Path

    @property
    def train(self) -> Path:
        """Tokenized training data."""
        return self.path / "train.tokens"

    @property
    def validation(self) -> Path:
        """Tokenized validation data; not there for a run without."""
        return self.path / "validation.tokens"

    @property
    def train_part(self) -> Path:
        """What ``--split`` leaves of the training data."""
        return self.path / "train.jsonl"

    @property
    def validation_part(self) -> Path:
        """What ``--split`` takes out of it for the validation."""
        return self.path / "validation.jsonl"

    @property
    def checkpoints(self) -> Path:
        """What the run can continue from."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The adapter with the best loss on the validation data so far."""
        return self.path / "best"

    @property
    def adapter(self) -> Path:
        """The adapter that came out, as PEFT saves it."""
        return self.path / "adapter"

    @property
    def curve(self) -> Path:
        """The losses as a picture."""
        return self.path / "loss.svg"

    @property
    def worker_lock(self) -> Path:
        """Held by the process that trains, which may outlive the command."""
        return self.path / ".worker.lock"

    @property
    def log(self) -> Path:
        """What the libraries had to say."""
        return self.path / "training.log"

    def read(self) -> Mapping[str, Any] | None:
        """What the run is; None for a folder that is none or does not exist.

        Raises:
            IntegrityError: ``run.json`` is damaged, or was written by a newer phi.
            UsageError: it cannot be read.
        """
        try:
            return read_run(self.path / _RUN)
        except IntegrityError as error:
            if is_adapter(self.adapter):
                error.hint += f"; its adapter is complete: phi adapters add {shlex.quote(str(self.adapter))}"
            raise

    def result(self) -> Mapping[str, Any] | None:
        """What came of the run; None as long as it is not finished, or if its adapter is no longer there.

        Raises:
            IntegrityError: nothing says what came of it but the adapter, and the training would begin again.
        """
        if not is_adapter(self.adapter):
            return None
        found = read_result(self.path / _RESULT)
        if found is None and latest(self.checkpoints) is None:
            raise IntegrityError(
                f"{self.path} has an adapter, but neither its {_RESULT} nor a checkpoint can be read",
                f"use the adapter: phi adapters add {shlex.quote(str(self.adapter))}; or train again in another "
                "folder: --out FOLDER",
            )
        return found

    def write(self, run: Mapping[str, Any]) -> None:
        """Say what the run is.

        Raises:
            OSError: it cannot be written.
        """
        content = {"format": FORMAT, **run}
        write_output(self.path / _RUN, json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")
        self._marker.unlink(missing_ok=True)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Say what came of it.

        Raises:
            OSError: it cannot be written.
        """
        write_output(self.path / _RESULT, json.dumps(result, indent=2, ensure_ascii=False).encode() + b"\n")

    def check(self, identity: Mapping[str, Any]) -> bool:
        """Whether the folder has this run already, to be continued. One that has learned nothing is not in the way.

        Raises:
            UsageError: it has another run, or files of somebody else.
            IntegrityError: what says which run it has is damaged.
        """
        found = self.read()
        if found is None:
            if self.path.exists() and not self._is_free():
                raise self._other()
            return False
        before = found["identity"]
        changed = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
        if changed and self._has_learned():
            raise UsageError(
                f"{self.path} has another run: {', '.join(key.replace('_', ' ') for key in sorted(changed))} changed",
                "choose another folder: --out FOLDER; or remove this one",
            )
        here = self.files()
        made = found.get("files", here)
        strange = () if self._marker.exists() else [name for name in here if name not in made]
        if strange:
            raise UsageError(
                f"{self.path} has a file that is not of its run: {', '.join(strange)}",
                "move it away, or choose another folder: --out FOLDER",
            )
        return not changed and made == here

    def files(self) -> dict[str, int]:
        """What is made of the data before the training starts, with the size in bytes."""
        paths = (self.path / name for name in _DATA)
        return {path.name: path.stat().st_size for path in paths if path.is_file()}

    def used_bytes(self) -> int:
        """What checkpoints and adapters take on the disk; what is removed meanwhile takes nothing."""
        used = 0
        for path in (one for folder in (self.checkpoints, self.best, self.adapter) for one in folder.rglob("*")):
            with contextlib.suppress(OSError):
                used += path.stat().st_size if path.is_file() else 0
        return used

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within the context this process alone has the folder, which is made; one that stays empty goes again.

        Raises:
            UsageError: another process has it, or it is a file.
            OSError: it cannot be made.
        """
        if self.path.exists() and not self.path.is_dir():
            raise self._other()
        with new_folders(self.path):
            lock = LockFile(self.path / ".lock")
            if not lock.take():
                raise UsageError(
                    f"another phi finetune uses {self.path}", "wait for it, or choose another folder: --out FOLDER"
                )
            try:
                yield
            finally:
                lock.release()

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Within the context a new run is written; what was begun before is removed, also if this one fails.

        Raises:
            OSError: a file cannot be written or removed.
        """
        self._marker.touch()
        self._clear()
        try:
            yield
        except BaseException:
            self._clear()
            self._marker.unlink(missing_ok=True)
            raise

    def _other(self) -> UsageError:
        return UsageError(f"{self.path} exists and is not the folder of a run", "choose another: --out FOLDER")

    @property
    def _marker(self) -> Path:
        """Says that all visible files are of a run that did not start."""
        return self.path / ".begun"

    def _clear(self) -> None:
        for name in _BEGUN:
            (self.path / name).unlink(missing_ok=True)

    def _is_free(self) -> bool:
        if not self.path.is_dir():
            return False
        visible = self._visible()
        return not visible or (self._marker.exists() and visible <= set(_BEGUN))

    def _has_learned(self) -> bool:
        """Whether there is more than a beginning, or a process that may still save a checkpoint."""
        if not self._visible() <= set(_BEGUN):
            return True
        lock = LockFile(self.worker_lock)
        if not self.worker_lock.exists() or lock.take():
            lock.release()
            return False
        return True

    def _visible(self) -> set[str]:
        return {path.name for path in self.path.iterdir() if not path.name.startswith(".")}


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
