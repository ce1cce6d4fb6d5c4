"""From files to a run that can start: data checked, split and tokenized, what it needs compared with what there is."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.errors import CheckFailedError, DoesNotFitError, UsageError
from phicli.finetune.base_folder import BaseFolder
from phicli.finetune.batching import Schedule
from phicli.finetune.devices import Device
from phicli.finetune.examples import PairMaker, TrainingPair
from phicli.finetune.extra import versions
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile, write_pairs
from phicli.finetune.planning import Needs, fitted
from phicli.finetune.run_folder import RunFolder, hash_of
from phicli.finetune.tokens import open_tokenizer, special_tokens_in
from phicli.finetune.weights import weight_files
from phicli.hub.store import free_bytes
from phicli.hub.write_errors import writing
from phicli.training_data.checking import Checking, CheckOptions
from phicli.training_data.decoding import BOM, text_of, value_of
from phicli.training_data.lines import OnBytes, ignore_bytes, lines_of
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
        device: where it is computed.
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
    device: Device
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


def prepare(wish: Wish, on_bytes: OnBytes = ignore_bytes) -> Prepared:
    """Check the data, write the folder of the run, and see that it fits; where it does not, nothing is left behind.

    Raises:
        CheckFailedError: the data must not be used.
        DoesNotFitError: memory or disk is too small.
        UsageError: the folder has another run, or is used by another process.
    """
    _check(wish, on_bytes)
    identity = _identity(wish)
    if wish.folder.check(identity):
        prepared = _plan(wish, wish.folder, resumed=True)
    else:
        with writing("the folder", wish.folder.path, _OTHER), wish.folder.beginning():
            _tokenize(wish, wish.folder, on_bytes)
            prepared = _plan(wish, wish.folder, resumed=False)
    with writing("the folder", wish.folder.path, _OTHER):
        wish.folder.write(_run(wish, identity, prepared))
    return prepared


def rehearse(wish: Wish, on_bytes: OnBytes = ignore_bytes) -> Prepared:
    """What :func:`prepare` finds, without a folder: what is written is removed again.

    Raises:
        PhiError: as there.
    """
    _check(wish, on_bytes)
    if wish.folder.check(_identity(wish)):
        return _plan(wish, wish.folder, resumed=True)
    with tempfile.TemporaryDirectory(prefix="phi-finetune-") as name:
        folder = RunFolder(Path(name))
        with writing("the folder", folder.path, "set TMPDIR to a folder that you can write to"):
            _tokenize(wish, folder, on_bytes)
        return _plan(wish, folder, resumed=False)


def _check(wish: Wish, on_bytes: OnBytes) -> None:
    checking = Checking(CheckOptions(keep=_SHOWN, any_own_keys=True))
    for name in filter(None, (wish.train, wish.validation)):
        if name == PIPE:
            raise UsageError("training data is read several times and cannot be piped in", "name a file")
        with opened(name) as source:
            source.require_json_lines()
            checking.read(source.file, source.name, on_bytes)
    report = checking.report()
    if not report.usable:
        also = ("--validation", wish.validation) if wish.validation else ()
        raise CheckFailedError(
            f"the training data has {counted(report.findings.count('error'), 'error')}: {report.first_errors(_SHOWN)}",
            f"see all of them: {shlex.join(('phi', 'data', 'check', wish.train, *also))}",
        )


def _identity(wish: Wish) -> dict[str, Any]:
    weights = weight_files(wish.base.path)
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
        "files": wish.folder.files(),
        "needs": prepared.needs.to_data(),
        "versions": versions(),
        "identity": identity,
    }  # fmt: skip


def _tokenize(wish: Wish, folder: RunFolder, on_bytes: OnBytes) -> None:
    """Write the tokens of both files; with a share, of two parts of one."""
    base = wish.base
    maker = PairMaker(
        base.format, open_tokenizer(base.tokenizer), special_tokens_in(base.tokenizer), reasoning=base.reasoning
    )
    train, validation = wish.train, wish.validation
    if wish.share is not None:
        train, validation = str(folder.train_part), str(folder.validation_part)
        with opened(wish.train) as source:
            split(source, Path(train), Path(validation), SplitOptions(wish.share, seed=wish.recipe.seed), force=True)
    for name, target, typed in ((validation, folder.validation, wish.validation), (train, folder.train, wish.train)):
        if name is None:
            continue
        pairs = _pairs(_Data(name, typed or wish.train), maker, base.shape.context, on_bytes)
        if not write_pairs(target, pairs):
            raise CheckFailedError(
                f"{typed or wish.train} has no answer to learn{_part(wish)}: all of them have the weight 0",
                "set a weight to 1",
            )


@dataclass(frozen=True, slots=True)
class _Data:
    """A file of examples, and the one that was named, of which it may be a part."""

    path: str
    typed: str

    def place(self, number: int, data: bytes) -> str:
        """Where a line is, as people find it: in the file that was named."""
        if self.path != self.typed:
            with opened(self.typed) as source:
                number = next((at for at, other, _ in lines_of(source.file) if _same(other, data)), number)
        return f"{self.typed}:{number}"


def _same(line: bytes | None, other: bytes) -> bool:
    return line is not None and line.removeprefix(BOM).strip() == other.removeprefix(BOM).strip()


def _part(wish: Wish) -> str:
    return " in one of the two parts of --split" if wish.share is not None else ""


def _pairs(data: _Data, maker: PairMaker, context: int, on_bytes: OnBytes) -> Iterator[TrainingPair]:
    with opened(data.path) as source:
        for number, line, _ in lines_of(source.file, on_bytes):
            if line is None or line.isspace():
                continue
            try:
                pairs = list(maker.pairs_of(value_of(text_of(line.removeprefix(BOM)))))
            except UsageError as error:
                raise CheckFailedError(
                    f"{data.place(number, line)} {error.message}", "leave this example out"
                ) from None
            longest = max((len(pair.ids) for pair in pairs), default=0)
            if longest > context:
                raise CheckFailedError(
                    f"{data.place(number, line)} has {longest:,} tokens, but the context of the model has {context:,}",
                    "shorten this example, or leave it out",
                )
            yield from pairs


def _plan(wish: Wish, folder: RunFolder, *, resumed: bool) -> Prepared:
    """What the run needs, with the tokens in ``folder``, compared with what there is."""
    shape, available = wish.base.shape, wish.device.available_bytes
    free = free_bytes(wish.folder.path)
    with contextlib.ExitStack() as stack:
        pairs = stack.enter_context(PairsFile(folder.train))
        known = folder.validation.exists()
        validation = stack.enter_context(PairsFile(folder.validation)) if known else None
        wanted = min(wish.recipe.micro_batch, wish.recipe.batch_size)
        recipe = replace(wish.recipe, micro_batch=wanted)
        schedule = Schedule(pairs.lengths, shape.original_context, recipe)
        recipe, needs = fitted(shape, recipe, schedule, pairs.learned, available, validation)
        count = 0 if validation is None else len(validation)
        found = Prepared(recipe, needs, schedule.steps, len(pairs), count, sum(pairs.learned), available, free, resumed)
    if needs.disk > free + (folder.used_bytes() if resumed else 0):
        raise DoesNotFitError(
            f"the run needs {format_bytes(needs.disk)}, but only {format_bytes(free)} are free on the disk of "
            f"{wish.folder.path}",
            f"free some space, or {_OTHER}",
        )
    return found


def default_folder(base: BaseFolder, train: str) -> Path:
    """The folder of a run where none was named."""
    return Path(f"finetune-{base.name}-{Path(os.path.basename(train)).stem}")  # noqa: PTH119 (a name, not a file)
