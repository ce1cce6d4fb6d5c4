"""One fine-tuning from the plan to the adapter."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phicli.commands.finetuned_adapter import check_free_name, check_room, converted
from phicli.errors import DoesNotFitError, PhiError, UsageError, UserInterruptError
from phicli.finetune.options import DTYPE_BYTES, Recipe
from phicli.hub.write_errors import writing
from phicli.jobs.interrupting import interruptions
from phicli.paths import expand, is_there
from phicli.ui.finetune import TrainingScreen, print_plan, print_rehearsed, print_trained, print_trained_data
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.tidy_end import tidy_end
from phicli.units import format_bytes, how_far

if TYPE_CHECKING:
    from phicli.adapters.adding import Added
    from phicli.finetune.preparing import Prepared, Wish
    from phicli.training_data.lines import OnBytes


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
    device: str | None
    threads: int | None
    save_every_s: float
    max_minutes: float | None
    dry_run: bool
    as_json: bool
    evaluate: bool
    eval_model: str | None


def finetune_model(terminal: Terminal, asked: Asked) -> None:
    """Plan, train, and give the adapter a name.

    Raises:
        PhiError: something is missing, does not fit, or went wrong.
        UserInterruptError: Ctrl-C; a checkpoint is there.
    """
    from phicli.finetune.extra import require_extra

    check_options(asked)
    _check_inputs(asked)
    require_extra()
    with tidy_end():
        wish = _wish(asked)
        check_free_name(asked.name, wish.folder)
        _check_evaluation(asked, wish)
        if asked.dry_run:
            _rehearse(terminal, wish, as_json=asked.as_json)
        else:
            _run(terminal, asked, wish)


def _rehearse(terminal: Terminal, wish: Wish, *, as_json: bool) -> None:
    from phicli.finetune.preparing import rehearse

    prepared = _read(terminal, wish, rehearse)
    check_room(prepared.needs.trainable)
    print_rehearsed(terminal, prepared, wish, as_json=as_json)


def _run(terminal: Terminal, asked: Asked, wish: Wish) -> None:
    from phicli.finetune.preparing import prepare

    with writing("the folder", wish.folder.path, "choose another: --out FOLDER"), wish.folder.held():
        prepared = _read(terminal, wish, prepare)
        if not asked.as_json:
            print_plan(terminal, prepared, wish)
        result = wish.folder.result()
        if result is None:
            check_room(prepared.needs.trainable)
            result = _trained(terminal, asked, wish, prepared)
        with StatusLine(terminal) as status:
            added = converted(
                wish.folder, asked.name, wish.command, lambda *done: status.update(how_far("converting", *done))
            )
    _finish(terminal, asked, wish, result, added)


def _finish(terminal: Terminal, asked: Asked, wish: Wish, result: Mapping[str, Any], added: Added) -> None:
    """Print what came of it, and ask the held-out questions."""
    from phicli.commands.finetune_evaluation import Evaluating, evaluate_adapter, held_out

    questions = held_out(asked.validation, asked.share, wish.folder)
    evaluating = Evaluating(
        asked.evaluate, asked.eval_model, wish.base.name, questions, wish.folder.path, asked.threads,
        quiet=asked.as_json,
    )  # fmt: skip
    if not asked.as_json:
        print_trained(terminal, wish.folder, result, added)
    evaluated = evaluate_adapter(terminal, added, evaluating)
    if asked.as_json:
        print_trained_data(terminal, wish.folder, {**result, **evaluated.to_data()}, added)


def _read(terminal: Terminal, wish: Wish, read: Callable[[Wish, OnBytes], Prepared]) -> Prepared:
    with StatusLine(terminal) as status:
        return read(wish, lambda done: status.update(f"reading {wish.train}: {format_bytes(done)}"))


def check_options(asked: Asked) -> None:
    """Return if the options go together.

    Raises:
        UsageError: they do not.
    """
    if asked.validation is not None and asked.share is not None:
        raise UsageError("--validation and --split exclude each other", "leave out one of them")
    if asked.validation is not None and _is_share(asked.validation) and not is_there(asked.validation):
        share = asked.validation.removesuffix("%")
        typed = f"{int(share) / 100:g}" if share != asked.validation else share
        raise UsageError(
            f"--validation {asked.validation} is not a file", f"for a share of the training data: --split {typed}"
        )
    if asked.share is not None and not 0 < asked.share < 1:
        raise UsageError(f"--split {asked.share} is not a share", "give a number between 0 and 1: --split 0.1")
    if asked.recipe.dtype and asked.recipe.dtype not in DTYPE_BYTES:
        raise UsageError(f"--dtype {asked.recipe.dtype} is unknown", f"choose one of: {', '.join(DTYPE_BYTES)}")


def _is_share(typed: str) -> bool:
    return re.fullmatch(r"0?\.[0-9]+|[0-9]{1,2}%", typed) is not None


def _check_inputs(asked: Asked) -> None:
    """Return if the folder and the files are there: before 1.2 GB of packages are asked for.

    Raises:
        PhiError: one is not, or they stand in the wrong order.
    """
    from phicli.finetune.base_folder import require_folder
    from phicli.training_data.source import PIPE, opened

    if expand(asked.model).is_file() and not expand(asked.train).is_file() and asked.model.endswith((".jsonl", ".csv")):
        hint = f"name the folder first: {shlex.join(('phi', 'finetune', asked.train, asked.model))}"
        raise UsageError(f"{asked.model} is a file, but the folder with the weights comes first", hint)
    require_folder(asked.model)
    for name in filter(None, (asked.train, asked.validation)):
        if name != PIPE:
            with opened(name) as source:
                source.require_json_lines()


def _check_evaluation(asked: Asked, wish: Wish) -> None:
    from phicli.commands.finetune_evaluation import check_eval_model

    if asked.eval_model is not None:
        if not asked.evaluate:
            raise UsageError("--eval-model and --no-eval exclude each other", "leave out one of them")
        if asked.validation is None and asked.share is None:
            raise UsageError("--eval-model requires held-out questions", "add --split 0.1 or --validation FILE")
        check_eval_model(asked.eval_model, wish.base)


def _wish(asked: Asked) -> Wish:
    from phicli.finetune.base_folder import open_base
    from phicli.finetune.devices import choose_device
    from phicli.finetune.preparing import Wish, default_folder
    from phicli.finetune.run_folder import RunFolder
    from phicli.hardware.cpu import physical_cores

    base = open_base(asked.model)
    device = choose_device(asked.device, quantized=asked.recipe.quantized)
    recipe = replace(
        asked.recipe,
        device=device.kind,
        dtype=asked.recipe.dtype or ("float32" if device.kind == "cpu" else "bfloat16"),
    )
    folder = RunFolder((asked.out or default_folder(base, asked.train)).expanduser().absolute())
    return Wish(
        base, asked.train, asked.validation, asked.share, recipe, folder, device, asked.threads or physical_cores(),
        asked.save_every_s, shlex.join(["phi", *sys.argv[1:]]),
    )  # fmt: skip


def _trained(terminal: Terminal, asked: Asked, wish: Wish, prepared: Prepared) -> Mapping[str, Any]:
    """The result of the training, from its last checkpoint on."""
    from phicli.finetune.loss_curve import svg
    from phicli.paths import write_output

    screen = TrainingScreen(terminal, prepared.steps)
    try:
        _watch(screen, asked, wish)
    except KeyboardInterrupt:  # Ctrl-C again: the process that trains saves what it can by itself
        raise _interrupted(wish) from None
    if screen.result is None:
        raise _interrupted(wish)
    result = {**screen.result, "estimated_s": screen.estimated_s, "needed_memory_bytes": prepared.needs.memory}
    with writing("the folder", wish.folder.path, "check its permissions", again="nothing is trained again"):
        write_output(wish.folder.curve, svg(f"{wish.base.name}: loss", *screen.curves).encode())
        wish.folder.write_result(result)
    return result


def _watch(screen: TrainingScreen, asked: Asked, wish: Wish) -> None:
    """Show what happens until the process that trains has ended.

    Raises:
        PhiError: it failed, or was stopped.
        KeyboardInterrupt: nobody wants to wait for its end.
    """
    from phicli.finetune.supervising import TrainingProcess

    def on_press() -> None:
        process.stop()
        screen.stopping()

    with TrainingProcess(wish.folder) as process, interruptions(on_press) as pressed, screen:
        try:
            for event in process.events():
                screen.show(event)
                if event["event"] == "measured":
                    _check_time(event["seconds"], asked.max_minutes)
                    process.go()
        except PhiError:
            if pressed.count:
                raise _interrupted(wish) from None
            raise


def _check_time(seconds: float, most_minutes: float | None) -> None:
    if most_minutes is not None and seconds > 60 * most_minutes:
        raise DoesNotFitError(
            f"the training would take about {seconds / 60:.1f} minutes, more than --max-time {most_minutes:g}",
            "use fewer examples or epochs, or allow more time",
        )


def _interrupted(wish: Wish) -> UserInterruptError:
    from phicli.finetune.checkpoints import latest

    found = latest(wish.folder.checkpoints)
    if found is None:
        return UserInterruptError("stopped before anything was learned", "the same command begins again")
    return UserInterruptError(f"stopped; the checkpoint after step {found.step} is saved", "the same command continues")
