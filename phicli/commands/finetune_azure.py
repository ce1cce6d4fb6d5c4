"""``phi finetune --plan azure``: files and steps for Azure AI Foundry. Nothing is trained, and nothing is sent."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from phicli.commands.data.checking import check_files
from phicli.commands.finetuning import Asked, check_options
from phicli.commands.options import was_typed
from phicli.errors import UsageError
from phicli.finetune.options import Recipe
from phicli.training_data.checking import CheckOptions
from phicli.training_data.services import service_called
from phicli.training_data.source import PIPE, Source
from phicli.ui.terminal import Terminal
from phicli.ui.training_data import ReadingBar, print_report

if TYPE_CHECKING:
    from phicli.finetune.azure.writing import AzureWish
    from phicli.training_data.report import Report

Number = TypeVar("Number", int, float)
PLANS: Final = ("azure",)
_TAKEN: Final = frozenset(
    {"model", "train", "validation", "split", "out", "name", "learning_rate", "epochs", "batch_size", "seed", "plan",
     "as_json", "profile", "help"}
)  # fmt: skip


def write_plan(terminal: Terminal, ctx: Any, asked: Asked, plan: str) -> None:
    """Write the folder, and print what is in it.

    Raises:
        PhiError: an option, the model or a file is wrong, or the data must not be used.
    """
    from phicli.finetune.azure.writing import write_folder
    from phicli.ui.finetune_plan import print_azure_folder

    if plan.lower() not in PLANS:
        raise UsageError(f"unknown plan: {plan}", "the only plan is azure: --plan azure")
    check_options(asked)
    _refuse_others(ctx)
    wish = _wish(ctx, asked)
    _require_usable(
        terminal, check_files(terminal, wish.train, wish.validation, CheckOptions(any_own_keys=True), None), asked
    )
    made, report = write_folder(wish, _check_for_azure(terminal, wish), _reading(terminal))
    if made is None:
        _require_usable(terminal, report, asked)
    else:
        print_azure_folder(terminal, made, report, as_json=asked.as_json)


def _refuse_others(ctx: Any) -> None:
    """Refuse typed options that mean nothing to Azure: a person must not think that they count.

    Raises:
        UsageError: there are some.
    """
    names = [
        (one.secondary_opts or one.opts)[0]
        for one in ctx.command.params
        if one.name not in _TAKEN and was_typed(ctx, one.name)
    ]
    if names:
        means, them = ("mean", "them") if len(names) > 1 else ("means", "it")
        listed = ", ".join(names)
        raise UsageError(
            f"{listed} {means} nothing with --plan azure: nothing is trained here, and Azure does not take {them}",
            f"leave out {listed}; what can be chosen: --epochs, --batch-size, --learning-rate, --as, --seed",
        )


def _wish(ctx: Any, asked: Asked) -> AzureWish:
    from phicli.finetune.azure.models import azure_model
    from phicli.finetune.azure.parameters import azure_parameters
    from phicli.finetune.azure.writing import AzureWish, name_for, require_free

    if PIPE in (asked.train, asked.validation):
        raise UsageError("training data is read several times and cannot be piped in", "name a file")
    model, recipe = azure_model(asked.model), asked.recipe
    parameters = azure_parameters(
        _chosen(ctx, "epochs", recipe.epochs), _chosen(ctx, "batch_size", recipe.batch_size),
        _chosen(ctx, "learning_rate", recipe.learning_rate),
    )  # fmt: skip
    name = name_for(model, asked.train, asked.name)
    folder = (asked.out or Path(f"azure-{model.id}-{Path(asked.train).stem}")).expanduser().absolute()
    require_free(folder)
    command = shlex.join(["phi", *sys.argv[1:]])
    return AzureWish(
        model, asked.train, asked.validation, asked.share, recipe.seed, parameters, name, folder, command
    )  # fmt: skip


def _chosen(ctx: Any, name: str, value: Number) -> Number | None:
    """The value, where a person chose it on the command line or by a setting; else None, and Azure chooses."""
    return value if was_typed(ctx, name) or value != getattr(Recipe(), name) else None


def _require_usable(terminal: Terminal, report: Report, asked: Asked) -> None:
    if not report.usable:
        print_report(terminal, report, as_json=asked.as_json)


def _check_for_azure(terminal: Terminal, wish: AzureWish) -> Callable[[str, str | None], Report]:
    def check(train: str, validation: str | None) -> Report:
        options = CheckOptions(service_called("azure"))
        return check_files(terminal, train, validation, options, None, names=_names(wish))

    return check


def _names(wish: AzureWish) -> tuple[str, str]:
    """What the files are called in messages: a person knows only those that were typed."""
    if wish.share is not None:
        return f"{wish.train} (training part)", f"{wish.train} (validation part)"
    return f"{wish.train} (as Azure gets it)", f"{wish.validation} (as Azure gets it)"


def _reading(terminal: Terminal) -> Callable[[Source], contextlib.AbstractContextManager[Callable[[int], None]]]:
    @contextlib.contextmanager
    def reading(source: Source) -> Iterator[Callable[[int], None]]:
        with ReadingBar(terminal, "writing the data for Azure", source.size_bytes) as bar:
            yield bar.update

    return reading
