"""What an adapter has learned: after a training the held-out questions are asked without it and with it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phicli.errors import PhiError, UserInterruptError, WrongBaseError, reason_of
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.adapters.adding import Added
    from phicli.bench.evaluation.evaluate import EvaluationFindings
    from phicli.finetune.base_folder import BaseFolder
    from phicli.finetune.run_folder import RunFolder

MOST: Final = 100
"""So many held-out answers are asked for."""
_RESULT: Final = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came of it: ``data`` as ``phi eval --json`` has it with the model; else why not, and commands for later."""

    data: Mapping[str, Any] | None = None
    why_not: str = ""
    later: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {"evaluation": self.data, "not_evaluated": self.why_not or None, "evaluate_later": list(self.later)}


@dataclass(frozen=True, slots=True)
class Evaluating:
    """What is evaluated, and where.

    Attributes:
        wanted: False for ``--no-eval``.
        model: what ``--eval-model`` names; None for a model that is found.
        base: the name of the model that was trained.
        questions: the validation data; None where there is none.
        folder: of the run.
        threads: of the engine; None for the usual number.
        quiet: print nothing but warnings, because standard output gets one object.
    """

    wanted: bool
    model: str | None
    base: str
    questions: Path | None
    folder: Path
    threads: int | None
    quiet: bool


def held_out(validation: str | None, share: float | None, folder: RunFolder) -> Path | None:
    """The validation data of a run: the file that was named, or what was split off; None where there is none."""
    if validation is not None:
        return Path(validation).expanduser()
    return folder.validation_part if share is not None else None


def check_eval_model(model: str, base: BaseFolder) -> None:
    """Return if ``model`` can be asked with an adapter of ``base``: a training may take hours before it is.

    Raises:
        WrongBaseError: it has other sizes.
        PhiError: there is no such model on this machine, or it cannot be read.
    """
    from phicli.gguf_file.header import read_header
    from phicli.plan.locate import locate

    header, shape = read_header(locate(model).path), base.shape
    sizes = {
        "layers": (header.block_count, shape.layers), "hidden": (header.embedding_length, shape.hidden),
        "feed-forward": (next(iter(header.feed_forward_lengths), None), shape.feed_forward),
    }  # fmt: skip
    wrong = [f"{name} {there} instead of {here}" for name, (there, here) in sizes.items() if there != here]
    if wrong:
        raise WrongBaseError(
            f"--eval-model {model} is not a file of {base.name}: {', '.join(wrong)}", "leave it out, or name another"
        )


def evaluate_adapter(terminal: Terminal, added: Added, wish: Evaluating) -> Evaluated:
    """Ask before and after, print the table, and save it. What goes wrong is a warning: the adapter is there.

    Raises:
        UserInterruptError: Ctrl-C; the same command asks the rest.
        OutputClosedError: the reader has closed standard output.
    """
    if not wish.wanted:
        return Evaluated(why_not="--no-eval")
    if wish.questions is None:
        return _not_evaluated(terminal, wish, "there is no validation data; --split 0.1 makes some")
    names = _models(added, wish)
    if not names:
        why_not = f"this machine has no GGUF file of {wish.base}"
        return _not_evaluated(terminal, wish, why_not, _pull_and_command(added, wish))
    try:
        model, found = _evaluated(terminal, names, added, wish)
    except UserInterruptError as error:
        raise _interrupted(error.message, added) from None
    except KeyboardInterrupt:  # before the first question
        raise _interrupted("interrupted", added) from None
    except PhiError as error:
        return _not_evaluated(terminal, wish, error.message, (_command(names[0], added, wish),))
    return Evaluated(_saved(terminal, model, found, wish))


def _interrupted(message: str, added: Added) -> UserInterruptError:
    hint = f"the adapter {added.adapter.name} is ready; the same command asks the other questions"
    return UserInterruptError(message, hint, data={"adapter": added.adapter.name, "gguf": str(added.adapter.path)})


def _not_evaluated(terminal: Terminal, wish: Evaluating, why_not: str, later: tuple[str, ...] = ()) -> Evaluated:
    _note(terminal, wish, f"not evaluated: {why_not}")
    for number, command in enumerate(later):
        _note(terminal, wish, f"{'  ' if number else 'later: '}{command}")
    return Evaluated(why_not=why_not, later=later)


def _models(added: Added, wish: Evaluating) -> tuple[str, ...]:
    """The models that can be asked, the best first."""
    if wish.model is not None:
        return (wish.model,)
    from phicli.plan.adapted import models_of_base

    return models_of_base(added.header, wish.base)


def _evaluated(
    terminal: Terminal, names: tuple[str, ...], added: Added, wish: Evaluating
) -> tuple[str, EvaluationFindings]:
    """The first of the models that fits into memory, and what was found with it.

    Raises:
        PhiError: none can be asked.
    """
    from phicli.bench.evaluation.evaluate import evaluate_models
    from phicli.bench.evaluation.preparing import EvalOptions
    from phicli.errors import DoesNotFitError
    from phicli.ui.bench.progress import MeasuringLine

    settings = {} if wish.threads is None else {"threads": wish.threads}
    options = EvalOptions(str(wish.questions), settings=settings, limit=MOST, can_restart=False)
    for at, name in enumerate(names):
        _note(terminal, wish, f"evaluating {name} without and with {added.adapter.name}, at most {MOST} answers of "
              f"{wish.questions}")  # fmt: skip
        with MeasuringLine(terminal, enabled=not wish.quiet) as line:
            try:
                found = evaluate_models((name, f"{name}+{added.adapter.name}"), options, line)
            except DoesNotFitError as error:
                if at + 1 == len(names):
                    raise
                line.warn(f"{name}: {error.message}")
                continue
        if found.failure is not None:
            raise found.failure
        return name, found
    raise AssertionError("there is a model")


def _saved(terminal: Terminal, model: str, found: EvaluationFindings, wish: Evaluating) -> Mapping[str, Any]:
    from phicli.paths import write_output
    from phicli.ui.bench.evaluation import print_compared, report_data

    data = {"model": model, "questions": str(wish.questions), **report_data(found.evaluations, found.comparisons)}
    if not wish.quiet:
        print_compared(terminal, found.evaluations, found.comparisons, see_all=f"all replies: {wish.folder / _RESULT}")
    try:
        write_output(wish.folder / _RESULT, json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        terminal.alarm("warning:", f"{wish.folder / _RESULT} cannot be written: {reason_of(error)}")
    return data


def _pull_and_command(added: Added, wish: Evaluating) -> tuple[str, ...]:
    """What a person types later, on a machine without a file of the model."""
    from phicli.catalog.resolve import known_by_name

    variant = known_by_name(wish.base)
    if variant is None:
        return (_command("MODEL.gguf", added, wish),)
    pull = (f"phi pull {variant.id}:q8_0",) if variant.sources else ()
    return (*pull, _command(f"{variant.id}:q8_0" if pull else variant.id, added, wish))


def _command(model: str, added: Added, wish: Evaluating) -> str:
    words = ["phi", "eval", model, f"{model}+{added.adapter.name}", "--set", str(wish.questions), "--limit", str(MOST)]
    return shlex.join(words)


def _note(terminal: Terminal, wish: Evaluating, text: str) -> None:
    if not wish.quiet:
        terminal.say(text)
