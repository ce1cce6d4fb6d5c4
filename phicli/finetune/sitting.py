"""One sitting of a run, from its last checkpoint to its end or to an interruption. Only the worker imports this."""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from phicli.finetune import checkpoints
from phicli.finetune.batching import Schedule
from phicli.finetune.failures import LossError, WeightsError, is_out_of_memory
from phicli.finetune.memory import peak_bytes
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile
from phicli.finetune.run_folder import RunFolder
from phicli.finetune.training import Trainer

Say = Callable[..., None]
_MEASURED_STEPS = 3
_DIGITS = 6
"""Of a loss: those that a checkpoint remembers decide, so that a run that was interrupted decides the same."""


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
        LossError: the loss is not a number.
        MemoryError: there is no memory left; what was learned so far is saved, if possible.
    """
    torch.set_num_threads(int(run["threads"]))
    recipe, base = Recipe(**run["recipe"]), run["base"]
    trainer = Trainer(Path(base["path"]), base["name"], recipe, orders.stop.is_set)
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
        self.step, self.worse, self.best = 0, 0, math.inf
        self.losses: list[tuple[int, float]] = []
        self.validations: list[tuple[int, float]] = []
        self.saved: tuple[int, int] | None = None

    def curves(self) -> dict[str, Any]:
        """The losses so far."""
        return {"losses": self.losses, "validations": self.validations}

    def resume(self) -> None:
        """Go back to the last checkpoint, where there is one."""
        checkpoints.restore(self.folder.best)
        for name in checkpoints.damaged(self.folder.checkpoints):
            self.say("damaged", name=name)
        found = checkpoints.latest(self.folder.checkpoints)
        if found is None:
            return
        self.trainer.load(found.folder / "adapter", found.folder / "optimizer.safetensors")
        state = found.state
        self.step = found.step
        self.losses, self.validations = list(state["losses"]), list(state["validations"])
        self.best, self.worse = min((loss for _, loss in self.validations), default=math.inf), state["worse"]
        self.saved = self._place()

    def measure(self) -> None:
        """Compute three steps without learning, and say what they took.

        The one with the largest micro-batch comes first, and the largest ones of the validation data: where memory runs
        out, it does so at the beginning.
        """
        steps = self.schedule.steps
        first = range(self.step, min(steps, self.step + self.schedule.steps_per_epoch))
        if not first or self._had_enough():
            self.say("measured", seconds=0.0, peak_bytes=self._peak())
            return
        work = {step: self.schedule.tokens(step) for step in first}
        chosen = [self.schedule.heaviest(first), *list(work)[: _MEASURED_STEPS - 1]]
        loss = self.trainer.step(self.schedule, self.pairs, chosen[0], learn=False)  # is slower than all others
        if self.step == 0 and loss is not None and not math.isfinite(loss):
            raise WeightsError("the model computes no numbers before it has learned anything")
        if self.validation is not None:
            for micro in self._checks(self.validation).heaviest_of_all(self.validation.learned):
                self.trainer.evaluate(self._checks(self.validation), self.validation, micro)
        began = time.perf_counter()
        for step in chosen:
            self.trainer.step(self.schedule, self.pairs, step, learn=False)
        rate = (time.perf_counter() - began) / sum(work[step] for step in chosen)
        tokens = sum(work.values()) * (steps - self.step) / len(work)
        checked = 0.0
        if self.validation is not None:
            left = self._validations_until(steps) - self._validations_until(self.step)
            checked = sum(self.validation.lengths) * left / 3  # no way back: a third
        self.say("measured", seconds=rate * (tokens + checked), peak_bytes=self._peak())

    def go_on(self, save_every_s: float, orders: Stop) -> None:
        """Step after step; ends with a checkpoint, and with the adapter where the run is complete."""
        began, failure = time.perf_counter(), ""
        try:
            self._loop(save_every_s, orders)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error) or "no memory left"
        if failure:  # only here the error no longer holds what was computed
            self.trainer.forget()
            self._save()
            raise MemoryError(failure)
        self._save()
        if not self._complete():
            self.say("stopped", step=self.step)
            return
        self._finish(time.perf_counter() - began)

    def _loop(self, save_every_s: float, orders: Stop) -> None:
        last_save = time.monotonic()
        while not self._complete() and not orders.stop.is_set():
            if self._validation_due():
                self._validate()
            else:
                self._learn()
            if time.monotonic() - last_save >= save_every_s:
                self._save()
                last_save = time.monotonic()

    def _learn(self) -> None:
        loss = self.trainer.step(self.schedule, self.pairs, self.step)
        if loss is None:
            return
        if not math.isfinite(loss):
            raise LossError(f"the loss is not a number in step {self.step + 1}")
        self.step += 1
        self.losses.append((self.step, round(loss, _DIGITS)))
        self.say("step", step=self.step, loss=loss)

    def _validate(self) -> None:
        assert self.validation is not None  # noqa: S101 (asked for only then)
        exact = self.trainer.evaluate(self._checks(self.validation), self.validation)
        if exact is None:
            return
        if not math.isfinite(exact):
            raise LossError(f"the validation loss is not a number after step {self.step}")
        loss = round(exact, _DIGITS)
        better = loss < self.best
        if better:
            checkpoints.write_folder(self.folder.best, self.trainer.save_adapter)
        self.best, self.worse = min(loss, self.best), 0 if better else self.worse + 1
        self.validations.append((self.step, loss))
        self.say("validation", step=self.step, loss=loss, best=better)

    def _checks(self, validation: PairsFile) -> Schedule:
        """What is computed together of the validation data."""
        return replace(self.schedule, lengths=validation.lengths)

    def _validation_due(self) -> bool:
        """Whether the losses on the validation data are fewer than there should be after so many steps."""
        return self.validation is not None and len(self.validations) < self._validations_until(self.step)

    def _validations_until(self, step: int) -> int:
        """How many there should be: spread evenly, the last after the last step."""
        steps = self.schedule.steps
        return min(steps, self.trainer.recipe.evaluations) * step // steps

    def _complete(self) -> bool:
        return self._had_enough() or (self.step == self.schedule.steps and not self._validation_due())

    def _had_enough(self) -> bool:
        patience = self.trainer.recipe.patience
        return self.validation is not None and 0 < patience <= self.worse

    def _place(self) -> tuple[int, int]:
        return self.step, len(self.validations)

    def _save(self) -> None:
        if self._place() in ((0, 0), self.saved):
            return
        self._require_numbers()

        def write(trial: Path) -> None:
            self.trainer.save_adapter(trial / "adapter")
            self.trainer.save_optimizer(trial / "optimizer.safetensors")

        checkpoints.save(self.folder.checkpoints, self.step, {**self.curves(), "worse": self.worse}, write)
        self.saved = self._place()
        self.say("saved", step=self.step)

    def _finish(self, seconds: float) -> None:
        if checkpoints.is_adapter(self.folder.best):
            checkpoints.write_folder(self.folder.adapter, lambda trial: _copy(self.folder.best, trial))
        else:
            if self.folder.best.is_dir():
                self.say("damaged", name=self.folder.best.name)
            self._require_numbers()
            checkpoints.write_folder(self.folder.adapter, self.trainer.save_adapter)
        early = self.step < self.schedule.steps
        self.say("done", step=self.step, early=early, seconds=seconds, peak_bytes=self._peak(), **self.curves())

    def _require_numbers(self) -> None:
        """Nothing is saved from which no run can continue.

        Raises:
            LossError: the adapter has values that are not numbers.
        """
        if not all(bool(torch.isfinite(one).all()) for one in self.trainer.parameters):
            raise LossError(f"the adapter has values that are not numbers after step {self.step}")

    def _peak(self) -> int:
        return peak_bytes(self.trainer.recipe.device)


def _copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        shutil.copyfile(path, target / path.name)
