"""What ``phi finetune`` shows: the plan, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Final

from phicli.adapters.adding import Added
from phicli.adapters.bases import fitting_models
from phicli.finetune.preparing import Prepared, Wish
from phicli.finetune.run_folder import RunFolder
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.wrapping import width_of
from phicli.units import counted, format_bytes

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = 60
_BESIDE: Final = len("loss  10.0000 ")
"""Columns that stand beside the curve."""
_REPORTS: Final = 10
"""Lines about the loss where standard error is no terminal."""

Points = Sequence[tuple[int, float]]


class TrainingScreen:
    """How far a training is, on standard error: a line that changes on a terminal, a few lines elsewhere."""

    def __init__(self, terminal: Terminal, steps: int) -> None:
        self._terminal, self._steps = terminal, steps
        self._status = StatusLine(terminal)
        self._losses: list[tuple[int, float]] = []
        self._validations: list[tuple[int, float]] = []
        self._began, self._first = monotonic(), 0
        self.step = 0
        self.estimated_s: float | None = None
        self.result: Mapping[str, Any] | None = None

    @property
    def curves(self) -> tuple[Points, Points]:
        """The losses of the training, and those on the validation data."""
        return self._losses, self._validations

    def show(self, event: Mapping[str, Any]) -> None:
        """Something happened."""
        match event["event"]:
            case "waiting":
                self._status.update("waiting for the process that saves the last checkpoint")
            case "loaded":
                self._loaded(event)
            case "damaged":
                self._status.clear()
                self._terminal.alarm("warning:", f"{event['name']} is damaged and is not used")
            case "measured":
                self.estimated_s = event["seconds"]
                self._status.clear()
                self._terminal.say(f"measured: about {span(event['seconds'])} from now on")
                self._began = monotonic()
            case "step":
                self._stepped(event)
            case "validation":
                self._validations.append((event["step"], event["loss"]))
                best = ", the best so far" if event["best"] else ""
                self._status.clear()
                self._terminal.say(f"step {event['step']:,}: validation loss {event['loss']:.4f}{best}")
            case "done":
                curves = ("losses", "validations")
                self.result = {key: value for key, value in event.items() if key not in ("event", *curves)}
                self._status.clear()
                if self._terminal.shows_progress and len(self._losses) > 1:
                    self._terminal.say(f"loss {self._curve()} {self._losses[-1][1]:.4f}")
                self.result |= {"loss": self._last(self._losses), "validation_loss": self._best()}

    def stopping(self) -> None:
        """Ctrl-C was pressed: the micro-batch under way is computed, and a checkpoint saved."""
        self._status.update("stopping: a checkpoint is saved")

    def __enter__(self) -> TrainingScreen:
        self._status.update("loading the model")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.clear()

    def _loaded(self, event: Mapping[str, Any]) -> None:
        self.step = self._first = event["step"]
        self._losses = [(step, loss) for step, loss in event["losses"]]
        self._validations = [(step, loss) for step, loss in event["validations"]]
        if self.step:
            self._status.clear()
            self._terminal.say(f"continuing after step {self.step:,} of {self._steps:,}")
        self._status.update("measuring three steps")

    def _stepped(self, event: Mapping[str, Any]) -> None:
        self.step = event["step"]
        self._losses.append((self.step, event["loss"]))
        rate = (monotonic() - self._began) / max(1, self.step - self._first)
        left = span(rate * (self._steps - self.step))
        text = f"step {self.step:,} of {self._steps:,}: loss {event['loss']:.4f}"
        if self._terminal.shows_progress:
            self._status.update(f"{text}, {left} left")
        elif self.step % max(1, self._steps // _REPORTS) == 0:
            self._terminal.say(text)

    def _curve(self) -> str:
        return curve_line(self._losses, min(_COLUMNS, width_of(self._terminal.stderr) - _BESIDE))

    @staticmethod
    def _last(points: Points) -> float | None:
        return points[-1][1] if points else None

    def _best(self) -> float | None:
        return min((loss for _, loss in self._validations), default=None)


def print_rehearsed(terminal: Terminal, prepared: Prepared, wish: Wish, *, as_json: bool) -> None:
    """What the run would need: all that ``--dry-run`` is asked for, so it goes to standard output."""
    if as_json:
        print_result(terminal, "finetune", {"folder": str(wish.folder.path), "plan": prepared.to_data()})
        return
    for line in aligned(list(_plan_rows(prepared, wish))):
        terminal.write_line(line)


def print_plan(terminal: Terminal, prepared: Prepared, wish: Wish) -> None:
    """What the run needs that begins now."""
    for line in aligned(list(_plan_rows(prepared, wish))):
        terminal.say(line)


def _plan_rows(prepared: Prepared, wish: Wish) -> Iterator[tuple[str, str]]:
    needs, recipe = prepared.needs, prepared.recipe
    yield "model", f"{wish.base.name}, prompt format {wish.base.format}"
    known = f", {prepared.validation_examples:,} for validation" if prepared.validation_examples else ""
    yield "data", f"{counted(prepared.examples, 'answer')}, {prepared.learned_tokens:,} tokens to learn{known}"
    yield "adapter", f"{needs.trainable:,} trainable parameters (rank {recipe.rank})"
    at_once = f"{recipe.micro_batch} at once{', activations computed again' if recipe.checkpointing else ''}"
    yield "steps", f"{prepared.steps:,} with {counted(recipe.batch_size, 'answer')} each, {at_once}"
    where = f" on {wish.device.name}" if recipe.device == "cuda" else ""
    yield "memory", f"{format_bytes(needs.memory)} of {format_bytes(prepared.available_bytes)} available{where}"
    yield "disk", f"{format_bytes(needs.disk)} of {format_bytes(prepared.free_disk_bytes)} free"
    yield "folder", str(wish.folder.path)


def print_trained_data(terminal: Terminal, folder: RunFolder, result: Mapping[str, Any], added: Added) -> None:
    """What came of a run as JSON."""
    paths = {"folder": str(folder.path), "peft": str(folder.adapter), "gguf": str(added.adapter.path)}
    fits = list(fitting_models(added.header))
    print_result(terminal, "finetune", {**paths, "adapter": added.adapter.name, "fits": fits, **result})


def print_trained(terminal: Terminal, folder: RunFolder, result: Mapping[str, Any], added: Added) -> None:
    """What came of a run, and the command that uses it."""
    fits = fitting_models(added.header)
    for line in aligned(list(_result_rows(folder, result, added))):
        terminal.write_line(line)
    terminal.say(f"use it: phi chat {fits[0] if fits else 'MODEL'} --adapter {added.adapter.name}")


def _result_rows(folder: RunFolder, result: Mapping[str, Any], added: Added) -> Iterator[tuple[str, str]]:
    yield "adapter", added.adapter.name
    early = ", stopped early: the validation loss no longer fell" if result["early"] else ""
    yield "steps", f"{result['step']:,}{early}"
    if result["loss"] is not None:
        yield "loss", f"{result['loss']:.4f}"
    if result["validation_loss"] is not None:
        yield "validation loss", f"{result['validation_loss']:.4f} (the adapter is from that step)"
    if result.get("estimated_s"):
        yield "time", f"{span(result['seconds'])} ({span(result['estimated_s'])} planned)"
    if result["peak_bytes"]:
        yield "memory", f"{format_bytes(result['peak_bytes'])} ({format_bytes(result['needed_memory_bytes'])} planned)"
    yield "PEFT", str(folder.adapter)
    yield "GGUF", str(added.adapter.path)
    yield "loss curve", str(folder.curve)


def span(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def curve_line(points: Points, columns: int = _COLUMNS) -> str:
    """The losses as one line of blocks, at most ``columns`` of them."""
    width = max(1, -(-len(points) // max(1, columns)))
    means = [
        sum(loss for _, loss in points[at : at + width]) / len(points[at : at + width])
        for at in range(0, len(points), width)
    ]
    low, high = min(means, default=0.0), max(means, default=1.0)
    scale = (len(_BLOCKS) - 1) / ((high - low) or 1.0)
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)
