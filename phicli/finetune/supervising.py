"""The process that trains, as this one sees it: events out, two orders in."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from phicli.errors import DoesNotFitError, NotAModelError, PhiError, UsageError
from phicli.finetune.run_folder import RunFolder

_LEAVES_S: Final = 120.0
"""For the micro-batch under way and a checkpoint."""
_GIVE_BACK: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 26)}
"""Memory that is free goes back to the system (glibc): the peak is what the sums say. Only from large tensors on: each
page that comes anew is cleared by the system, which took as long as computing a small model."""
_SHORT_SPIN: Final = {"GOMP_SPINCOUNT": "1000"}
"""Threads wait for each other after each operation. With another program on a core, long spinning made a step up to
nine times as slow; it is for the engine as well (``engine.engine_process``)."""
_AGAIN: Final = "the same command continues from the last checkpoint"
_WORKER: Final = (sys.executable, "-m", "phicli.finetune.worker")
_BY_THE_SYSTEM: Final = -9
_LOG_BYTES: Final = 1 << 16
_LOG_LINE: Final = 300
"""So much of a line of the log is in a message."""


class TrainingFailedError(PhiError):
    """The process that trains ended by itself."""

    code = "training"
    exit_code = 6


class TrainingProcess:
    """Trains the run in a folder; torch is loaded there only.

    Args:
        folder: of the run.
        program: what is started with the path of the folder; tests give another one.
    """

    def __init__(self, folder: RunFolder, program: Sequence[str] = _WORKER) -> None:
        self._folder, self._began, self._killed, self._step = folder, False, False, 0
        self._run: Mapping[str, Any] = folder.read() or {}
        spin = {} if "OMP_WAIT_POLICY" in os.environ else _SHORT_SPIN
        environment = {**_GIVE_BACK, **spin, **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        package = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        with folder.log.open("ab") as log:
            self._logged = log.tell()
            self._process = subprocess.Popen(
                [*program, str(folder.path)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True,
            )  # fmt: skip

    def events(self) -> Iterator[Mapping[str, Any]]:
        """What happens, until the process ends.

        Raises:
            DoesNotFitError: it ran out of memory or disk.
            TrainingFailedError: it failed, or was killed.
        """
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        ended = False
        for line in self._process.stdout:
            if not line.endswith("\n"):  # it was killed while it wrote
                break
            event = json.loads(line)
            if event["event"] == "failed":
                raise self._failed(event["kind"], event["reason"])
            ended = event["event"] in ("done", "stopped")
            self._step = event.get("step", self._step)
            yield event
        if not ended and not self._killed:
            raise self._died(self._process.wait())

    def go(self) -> None:
        """Begin, after ``measured``."""
        self._began = True
        self._order("go")

    def stop(self) -> None:
        """Save a checkpoint and end; before the training began there is none to save, so it ends at once."""
        if self._began:
            self._order("stop")
        else:
            self._killed = True
            self._process.kill()

    def __enter__(self) -> TrainingProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._began:
            self._process.kill()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVES_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _order(self, what: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
        with contextlib.suppress(OSError):  # it has ended: its last event says why
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()

    def _failed(self, kind: str, reason: str) -> PhiError:
        if kind == "memory":
            return self._out_of_memory("the memory ran out while training")
        if kind == "disk":
            folder = self._folder.path
            return DoesNotFitError(
                f"the disk of {folder} is full: the last step is not saved", f"free some space: {_AGAIN}"
            )
        if kind == "file":
            return UsageError(f"the training cannot read or write a file: {reason}", f"see {self._folder.log}")
        if kind == "weights":
            return NotAModelError(
                f"the model cannot be trained: {reason}", "download the folder again, or name another one"
            )
        if kind == "loss":
            return TrainingFailedError(
                f"the training failed: {reason}", "use a smaller --learning-rate, and another folder: --out FOLDER"
            )
        return TrainingFailedError(f"the training failed: {reason}", f"see {self._folder.log}")

    def _died(self, code: int) -> PhiError:
        if code == _BY_THE_SYSTEM:
            return self._out_of_memory("the process that trains was killed, probably because the memory ran out")
        said = _last_line(self._folder.log, self._logged)
        why = f": {said}" if said else ""
        return TrainingFailedError(f"the process that trains ended (status {code}){why}", f"see {self._folder.log}")

    def _out_of_memory(self, what: str) -> DoesNotFitError:
        less = with_less_memory(self._run.get("recipe") or {})
        after = f" after step {self._step}" if self._step else ""
        if less is None:
            return DoesNotFitError(what + after, f"close other programs, or leave out the longest examples: {_AGAIN}")
        return DoesNotFitError(what + after, f"continue with less memory: {self._run.get('command')} {less}")


def _last_line(log: Path, start: int) -> str:
    """What was written last, from ``start`` on: of an error in Python what it was; empty where there is nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - _LOG_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((" ".join(line.split())[:_LOG_LINE] for line in reversed(lines) if line.strip()), "")


def with_less_memory(recipe: Mapping[str, Any]) -> str | None:
    """The option with which a run needs less memory and gives the same adapter; None where there is none."""
    if recipe.get("micro_batch", 1) > 1:
        return f"--micro-batch {recipe['micro_batch'] // 2}"
    return None if recipe.get("checkpointing", True) else "--checkpointing"
