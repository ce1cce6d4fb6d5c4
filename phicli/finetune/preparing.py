"""From files to a run that can start: data checked, split and tokenized, what it needs compared with what there is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.errors import CheckFailedError, DoesNotFitError, UsageError
from phicli.finetune.base_folder import BaseFolder
from phicli.finetune.batching import Schedule
from phicli.finetune.examples import PairMaker, TrainingPair
from phicli.finetune.extra import versions
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile, write_pairs
from phicli.finetune.planning import Needs, fitted
from phicli.finetune.run_folder import RunFolder, hash_of
from phicli.finetune.tokens import open_tokenizer, special_tokens_in
from phicli.hardware.memory import available_memory
from phicli.hub.store import free_bytes
from phicli.hub.write_errors import writing
from phicli.training_data.checking import Checking, CheckOptions
from phicli.training_data.decoding import BOM, text_of, value_of
from phicli.training_data.lines import lines_of
from phicli.training_data.source import PIPE, opened
from phicli.training_data.splitting import SplitOptions, split
from phicli.units import counted, format_bytes

_SHOWN: Final = 3
_OTHER: Final = "choose another folder: --out FOLDER"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes:
        base: the model.
        train: path of the training data.
        validation: path of the validation data; None where there is none.
        share: of the training data that becomes validation data, None for none.
        recipe: how; its micro-batch is the largest one that may be used.
        folder: of the run.
        threads: of the processor.
        save_every_s: seconds between checkpoints.
        command: what repeats the run.
    """

    base: BaseFolder
    train: str
    validation: str | None
    share: float | None
    recipe: Recipe
    folder: RunFolder
    threads: int
    save_every_s: float
    command: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can start, or continue: ``resumed`` says that it was there before."""

    recipe: Recipe
    needs: Needs
    steps: int
    examples: int
    validation_examples: int
    learned_tokens: int
    available_bytes: int
    free_disk_bytes: int
    resumed: bool

    def to_data(self) -> dict[str, Any]:
        """As JSON shows it."""
        return self.needs.to_data() | {
            "recipe": self.recipe.to_data(), "steps": self.steps, "answers": self.examples,
            "validation_answers": self.validation_examples, "learned_tokens": self.learned_tokens,
            "available_memory_bytes": self.available_bytes, "free_disk_bytes": self.free_disk_bytes,
            "resumed": self.resumed,
        }  # fmt: skip


def prepare(wish: Wish) -> Prepared:
    """Check the data, write the folder of the run, and see that it fits.

    Raises:
        CheckFailedError: the data must not be used.
        DoesNotFitError: memory or disk is too small.
        UsageError: the folder has another run.
    """
    _check(wish)
    identity = _identity(wish)
    resumed = wish.folder.check(identity)
    with writing("the folder", wish.folder.path, _OTHER):
        wish.folder.path.mkdir(parents=True, exist_ok=True)
        if not resumed:
            _tokenize(wish)
    prepared = _plan(wish, resumed=resumed)
    with writing("the folder", wish.folder.path, _OTHER):
        wish.folder.write(_run(wish, identity, prepared))
    return prepared


def _check(wish: Wish) -> None:
    checking = Checking(CheckOptions(keep=_SHOWN))
    for name in filter(None, (wish.train, wish.validation)):
        if name == PIPE:
            raise UsageError("training data is read several times and cannot be piped in", "name a file")
        with opened(name) as source:
            checking.read(source.file, source.name)
    report = checking.report()
    if not report.usable:
        errors = [one for one in report.findings.kept() if one.severity == "error"]
        first = "; ".join(f"{one.file}:{one.line} {one.message}" for one in errors[:_SHOWN])
        command = f"phi data check {wish.train}" + (f" --validation {wish.validation}" if wish.validation else "")
        raise CheckFailedError(
            f"the training data has {counted(report.findings.count('error'), 'error')}: {first}",
            f"see all of them: {command}",
        )


def _identity(wish: Wish) -> dict[str, Any]:
    weights = sorted(wish.base.path.glob("*.safetensors"))
    return {
        "model": [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in weights],
        "training_data": hash_of(Path(wish.train).expanduser()),
        "validation_data": hash_of(Path(wish.validation).expanduser()) if wish.validation else None,
        "split": wish.share,
        **wish.recipe.identity(),
    }


def _run(wish: Wish, identity: Mapping[str, Any], prepared: Prepared) -> dict[str, Any]:
    shape = wish.base.shape
    return {
        "command": wish.command,
        "base": {"path": str(wish.base.path), "name": wish.base.name, "border": shape.original_context,
                 "format": wish.base.format},
        "recipe": prepared.recipe.to_data(),
        "threads": wish.threads,
        "save_every_s": wish.save_every_s,
        "needs": prepared.needs.to_data(),
        "versions": versions(),
        "identity": identity,
    }  # fmt: skip


def _tokenize(wish: Wish) -> None:
    """Write the tokens of both files; with a share, of two parts of one."""
    folder, base = wish.folder, wish.base
    maker = PairMaker(
        base.format, open_tokenizer(base.tokenizer), special_tokens_in(base.tokenizer), reasoning=base.reasoning
    )
    train, validation = wish.train, wish.validation
    if wish.share is not None:
        train, validation = str(folder.path / "train.jsonl"), str(folder.path / "validation.jsonl")
        with opened(wish.train) as source:
            split(source, Path(train), Path(validation), SplitOptions(wish.share, seed=wish.recipe.seed), force=True)
    for name, target in ((validation, folder.validation), (train, folder.train)):
        if name is not None and not write_pairs(target, _pairs(name, maker, base.shape.context)):
            raise CheckFailedError(f"{name} has no answer to learn: all of them have the weight 0", "set a weight to 1")


def _pairs(name: str, maker: PairMaker, context: int) -> Iterator[TrainingPair]:
    with opened(name) as source:
        for number, data, _ in lines_of(source.file, lambda _: None):
            if data is None or data.isspace():
                continue
            try:
                pairs = list(maker.pairs_of(value_of(text_of(data.removeprefix(BOM)))))
            except UsageError as error:
                raise CheckFailedError(f"{name}:{number} {error.message}", "leave this example out") from None
            longest = max((len(pair.ids) for pair in pairs), default=0)
            if longest > context:
                raise CheckFailedError(
                    f"{name}:{number} has {longest:,} tokens, but the context of the model has {context:,}",
                    "shorten this example, or leave it out",
                )
            yield from pairs


def _plan(wish: Wish, *, resumed: bool) -> Prepared:
    folder, shape = wish.folder, wish.base.shape
    memory = available_memory()
    available = memory.available_bytes if memory else 0
    free = free_bytes(folder.path)
    count = 0
    if folder.validation.exists():
        with PairsFile(folder.validation) as validation:
            count = len(validation)
    with PairsFile(folder.train) as pairs:
        wanted = min(wish.recipe.micro_batch, wish.recipe.batch_size)
        recipe = replace(wish.recipe, micro_batch=wanted)
        schedule = Schedule(pairs.lengths, shape.original_context, recipe)
        recipe, needs = fitted(shape, recipe, schedule, pairs.learned, available)
        found = Prepared(recipe, needs, schedule.steps, len(pairs), count, sum(pairs.learned), available, free, resumed)
    if needs.disk > free:
        raise DoesNotFitError(
            f"the run needs {format_bytes(needs.disk)}, but only {format_bytes(free)} are free on the disk of "
            f"{folder.path}",
            f"free some space, or {_OTHER}",
        )
    return found


def default_folder(base: BaseFolder, train: str) -> Path:
    """The folder of a run where none was named."""
    return Path(f"finetune-{base.name}-{Path(os.path.basename(train)).stem}")  # noqa: PTH119 (a name, not a file)
