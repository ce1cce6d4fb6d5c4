"""The folder of a run: what it is, what it learns from, how far it is, and what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.errors import UsageError
from phicli.hub.write_errors import new_folders
from phicli.jobs.locking import LockFile
from phicli.paths import read_small, write_output

_RUN: Final = "run.json"
_RESULT: Final = "result.json"
_PIECE: Final = 1 << 20
_BEGUN: Final = frozenset({"train.tokens", "validation.tokens", "train.jsonl", "validation.jsonl"})
"""What a run that was interrupted before it could start has left."""


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
        """What the run is; None for a folder that is none or does not exist."""
        return _object(self.path / _RUN)

    def result(self) -> Mapping[str, Any] | None:
        """What came of the run; None as long as it is not finished."""
        return _object(self.path / _RESULT)

    def write(self, run: Mapping[str, Any]) -> None:
        """Say what the run is.

        Raises:
            OSError: it cannot be written.
        """
        write_output(self.path / _RUN, json.dumps(run, indent=2, ensure_ascii=False).encode() + b"\n")
        self._marker.unlink(missing_ok=True)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Say what came of it.

        Raises:
            OSError: it cannot be written.
        """
        write_output(self.path / _RESULT, json.dumps(result, indent=2, ensure_ascii=False).encode() + b"\n")

    def check(self, identity: Mapping[str, Any]) -> bool:
        """Whether the folder has this run already, to be continued.

        Raises:
            UsageError: it has another run, or other files.
        """
        found = self.read()
        if found is None:
            if self.path.exists() and not self._is_free():
                raise UsageError(f"{self.path} exists and is not the folder of a run", "choose another: --out FOLDER")
            return False
        before = found.get("identity") or {}
        changed = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
        if changed:
            raise UsageError(
                f"{self.path} has another run: {', '.join(key.replace('_', ' ') for key in sorted(changed))} changed",
                "choose another folder: --out FOLDER; or remove this one",
            )
        return True

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
            UsageError: another process has it.
            OSError: it cannot be made.
        """
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
        visible = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        return not visible or (self._marker.exists() and visible <= _BEGUN)


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


def _object(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(read_small(path))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
