"""One sitting of a run, from its last checkpoint to its end or to an interruption. Only the worker imports this."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from phicli.finetune import checkpoints
from phicli.finetune.batching import Schedule
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile
from phicli.finetune.run_folder import RunFolder
from phicli.finetune.training import Trainer

Say = Callable[..., None]
_MEASURED_STEPS = 3


class Stop(Protocol):
    """Whether training is to stop."""

    stop: Any

    def wait(self) -> None:
        """Wait until it may begin."""


def train(folder: RunFolder, run: Mapping[str, Any], say: Say, orders: Stop) -> None:
    """Train until the end of the run or until it is told to stop.

    Raises:
        OSError: a checkpoint cannot be written.
        RuntimeError: torch could not go on.
    """
    torch.set_num_threads(int(run["threads"]))
    recipe, base = Recipe(**run["recipe"]), run["base"]
    trainer = Trainer(Path(base["path"]), base["name"], recipe)
    with contextlib.ExitStack() as stack:
        pairs = stack.enter_context(PairsFile(folder.train))
        known = folder.validation.exists()
        validation = stack.enter_context(PairsFile(folder.validation)) if known else None
        sitting = _Sitting(folder, trainer, Schedule(pairs.lengths, base["border"], recipe), pairs, validation, say)
        sitting.resume()
        say("loaded", trainable=trainer.trainable, step=sitting.step, steps=sitting.schedule.steps, **sitting.curves())
        sitting.measure()
        orders.wait()
        sitting.go_on(float(run["save_every_s"]), orders)


class _Sitting:
    """The run as it goes on."""

    def __init__(
        self, folder: RunFolder, trainer: Trainer, schedule: Schedule, pairs: PairsFile,
        validation: PairsFile | None, say: Say,
    ) -> None:  # fmt: skip
        self.folder, self.trainer, self.schedule, self.pairs = folder, trainer, schedule, pairs
        self.validation, self.say = validation, say
        self.step, self.losses, self.validations = 0, [], []  # type: ignore[var-annotated]
        self.best, self.worse, self.saved = math.inf, 0, -1

    def curves(self) -> dict[str, Any]:
        """The losses so far."""
        return {"losses": self.losses, "validations": self.validations}

    def resume(self) -> None:
        """Go back to the last checkpoint, where there is one."""
        found = checkpoints.latest(self.folder.checkpoints)
        if found is None:
            return
        self.trainer.load(found.folder / "adapter", found.folder / "optimizer.pt")
        state = found.state
        self.step = self.saved = found.step
        self.losses, self.validations = list(state["losses"]), list(state["validations"])
        self.best, self.worse = min((loss for _, loss in self.validations), default=math.inf), state["worse"]

    def measure(self) -> None:
        """Compute three steps without learning, the one with most tokens first, and say what they took."""
        steps = self.schedule.steps
        first = range(self.step, min(steps, self.step + self.schedule.steps_per_epoch))
        work = {step: self._tokens(step) for step in first}
        if not work:
            self.say("measured", seconds=0.0, peak_bytes=_peak())
            return
        chosen = [max(work, key=lambda step: work[step]), *list(work)[: _MEASURED_STEPS - 1]]
        self.trainer.step(self.schedule, self.pairs, chosen[0], learn=False)  # the first is slower than all others
        began = time.perf_counter()
        for step in chosen:
            self.trainer.step(self.schedule, self.pairs, step, learn=False)
        rate = (time.perf_counter() - began) / sum(work[step] for step in chosen)
        tokens = sum(work.values()) * (steps - self.step) / len(work)
        checked = 0.0
        if self.validation is not None:
            checked = sum(self.validation.lengths) * self.trainer.recipe.evaluations / 3  # no way back: a third
        self.say("measured", seconds=rate * (tokens + checked), peak_bytes=_peak())

    def go_on(self, save_every_s: float, orders: Stop) -> None:
        """Step after step; ends with a checkpoint, and with the adapter where the run is complete."""
        every = max(1, self.schedule.steps // self.trainer.recipe.evaluations)
        last_save = time.monotonic()
        while self.step < self.schedule.steps and not orders.stop.is_set() and not self._had_enough():
            loss = self.trainer.step(self.schedule, self.pairs, self.step)
            self.step += 1
            self.losses.append((self.step, round(loss, 6)))
            self.say("step", step=self.step, loss=loss)
            if not math.isfinite(loss):
                raise RuntimeError(f"the loss is not a number after step {self.step}")
            if self.validation is not None and (self.step % every == 0 or self.step == self.schedule.steps):
                self._validate()
            if time.monotonic() - last_save >= save_every_s:
                self._save()
                last_save = time.monotonic()
        self._save()
        if self.step < self.schedule.steps and not self._had_enough():
            self.say("stopped", step=self.step)
            return
        self._finish()

    def _validate(self) -> None:
        assert self.validation is not None  # noqa: S101 (asked for only then)
        loss = self.trainer.evaluate(self.schedule, self.validation)
        better = loss < self.best
        if better:
            self.best, self.worse = loss, 0
            checkpoints.write_folder(self.folder.best, self.trainer.save_adapter)
        else:
            self.worse += 1
        self.validations.append((self.step, round(loss, 6)))
        self.say("validation", step=self.step, loss=loss, best=better)

    def _had_enough(self) -> bool:
        patience = self.trainer.recipe.patience
        return self.validation is not None and 0 < patience <= self.worse

    def _save(self) -> None:
        if self.saved == self.step:
            return

        def write(trial: Path) -> None:
            self.trainer.save_adapter(trial / "adapter")
            self.trainer.save_optimizer(trial / "optimizer.pt")

        checkpoints.save(self.folder.checkpoints, self.step, {**self.curves(), "worse": self.worse}, write)
        self.saved = self.step
        self.say("saved", step=self.step)

    def _finish(self) -> None:
        if self.folder.best.is_dir():
            checkpoints.write_folder(self.folder.adapter, lambda trial: _copy(self.folder.best, trial))
        else:
            checkpoints.write_folder(self.folder.adapter, self.trainer.save_adapter)
        self.say("done", step=self.step, early=self.step < self.schedule.steps, peak_bytes=_peak(), **self.curves())

    def _tokens(self, step: int) -> int:
        micros = self.schedule.micro_batches(step)
        return sum(len(micro) * max(self.pairs.lengths[one] for one in micro) for micro in micros)


def _copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        shutil.copyfile(path, target / path.name)


def _peak() -> int:
    """The most memory that this process had so far, in bytes; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
