"""One fine-tuning from the plan to the adapter."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phicli.errors import DoesNotFitError, PhiError, UsageError, UserInterruptError
from phicli.finetune.options import DTYPE_BYTES, Recipe
from phicli.jobs.interrupting import interruptions
from phicli.ui.finetune import TrainingScreen, print_plan, print_trained
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.tidy_end import tidy_end

if TYPE_CHECKING:
    from phicli.adapters.adding import Added
    from phicli.finetune.preparing import Prepared, Wish
    from phicli.finetune.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    model: str
    train: str
    validation: str | None
    share: float | None
    out: Path | None
    name: str | None
    recipe: Recipe
    threads: int | None
    save_every_s: float
    max_minutes: float | None
    dry_run: bool
    as_json: bool
    plan: str | None = None


def finetune_model(terminal: Terminal, ctx: Any, asked: Asked) -> None:
    """Plan, train, and give the adapter a name; with ``--plan`` write files for a service instead.

    Raises:
        PhiError: something is missing, does not fit, or went wrong.
        UserInterruptError: Ctrl-C; a checkpoint is there.
    """
    _check(asked)
    if asked.plan is None:
        _train(terminal, asked)
        return
    from phicli.commands.finetune_azure import write_plan

    write_plan(terminal, ctx, asked, asked.plan)


def _train(terminal: Terminal, asked: Asked) -> None:
    from phicli.finetune.extra import require_extra
    from phicli.finetune.preparing import prepare

    require_extra()
    wish = _wish(asked)
    with StatusLine(terminal) as status:
        status.update(f"reading {asked.train}")
        prepared = prepare(wish)
    if asked.dry_run or not asked.as_json:
        print_plan(terminal, prepared, wish, as_json=asked.as_json)
    if asked.dry_run:
        return
    result = wish.folder.result()
    if result is None:
        result = _trained(terminal, asked, wish, prepared)
    print_trained(terminal, wish.folder, result, _added(wish.folder, asked.name), as_json=asked.as_json)


def _check(asked: Asked) -> None:
    if asked.validation is not None and asked.share is not None:
        raise UsageError("--validation and --split exclude each other", "leave out one of them")
    if asked.share is not None and not 0 < asked.share < 1:
        raise UsageError(f"--split {asked.share} is not a share", "give a number between 0 and 1: --split 0.1")
    if asked.recipe.dtype not in DTYPE_BYTES:
        raise UsageError(f"--dtype {asked.recipe.dtype} is unknown", f"choose one of: {', '.join(DTYPE_BYTES)}")


def _wish(asked: Asked) -> Wish:
    from phicli.finetune.base_folder import open_base
    from phicli.finetune.preparing import Wish, default_folder
    from phicli.finetune.run_folder import RunFolder
    from phicli.hardware.cpu import physical_cores

    base = open_base(asked.model)
    folder = RunFolder((asked.out or default_folder(base, asked.train)).expanduser().absolute())
    return Wish(
        base, asked.train, asked.validation, asked.share, asked.recipe, folder, asked.threads or physical_cores(),
        asked.save_every_s, shlex.join(["phi", *sys.argv[1:]]),
    )  # fmt: skip


def _trained(terminal: Terminal, asked: Asked, wish: Wish, prepared: Prepared) -> Mapping[str, Any]:
    """The result of the training, from its last checkpoint on."""
    from phicli.finetune.loss_curve import svg
    from phicli.finetune.supervising import TrainingProcess
    from phicli.paths import write_output

    screen = TrainingScreen(terminal, prepared.steps)
    with tidy_end(), TrainingProcess(wish.folder) as process, interruptions(process.stop) as pressed, screen:
        try:
            for event in process.events():
                screen.show(event)
                if event["event"] == "measured":
                    _check_time(event["seconds"], asked.max_minutes)
                    process.go()
        except PhiError:
            if pressed.count:
                raise _interrupted(screen.step, wish) from None
            raise
    if screen.result is None:
        raise _interrupted(screen.step, wish)
    write_output(wish.folder.curve, svg(f"{wish.base.name}: loss", *screen.curves).encode())
    result = {**screen.result, "needed_memory_bytes": prepared.needs.memory}
    wish.folder.write_result(result)
    return result


def _check_time(seconds: float, most_minutes: float | None) -> None:
    if most_minutes is not None and seconds > 60 * most_minutes:
        raise DoesNotFitError(
            f"the training would take about {seconds / 60:.1f} minutes, more than --max-time {most_minutes:g}",
            "use fewer examples or epochs, or allow more time",
        )


def _interrupted(step: int, wish: Wish) -> UserInterruptError:
    return UserInterruptError(
        f"stopped after step {step}; the checkpoint is in {wish.folder.checkpoints}", "the same command continues"
    )


def _added(folder: RunFolder, name: str | None) -> Added:
    from phicli.adapters.adding import add

    return add(folder.adapter, name=name, label=folder.path.name)
