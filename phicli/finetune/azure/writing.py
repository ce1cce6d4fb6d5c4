"""Writes the folder for Azure AI Foundry: data, job and page, all of them or none."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import phicli
from phicli.errors import UsageError
from phicli.finetune.azure.models import AzureModel
from phicli.finetune.azure.page import Facts, page
from phicli.finetune.azure.parameters import AzureParameters, job_yaml
from phicli.hub.write_errors import new_folders, writing
from phicli.paths import write_output
from phicli.training_data.convert_result import Converted
from phicli.training_data.converting import Converting, ConvertOptions
from phicli.training_data.findings import Finding
from phicli.training_data.outputs import Outputs
from phicli.training_data.report import Report
from phicli.training_data.source import Source, opened
from phicli.training_data.splitting import SplitOptions, split

TRAIN: Final = "train.jsonl"
VALIDATION: Final = "validation.jsonl"
JOB: Final = "job.yaml"
PAGE: Final = "STEPS.md"
_OTHER: Final = "choose another folder: --out FOLDER"
_STALE_S: Final = 3600.0
"""No folder takes that long to be written."""

Check = Callable[[str, str | None], Report]
"""Checks a training file, and a validation file where there is one, for Azure."""
Reading = Callable[[Source], contextlib.AbstractContextManager[Callable[[int], None]]]
"""Shows how far a file is read."""


@dataclass(frozen=True, slots=True)
class AzureWish:
    """What was asked for.

    Attributes:
        model: of Azure's catalog.
        train: path of the training data, which was checked already.
        validation: path of the validation data; None where there is none.
        share: of the training data that becomes validation data, None for none.
        seed: of the split.
        parameters: for Azure.
        name: of the model that comes out.
        folder: where everything is written; it must not exist, or be empty.
        command: what was typed.
    """

    model: AzureModel
    train: str
    validation: str | None
    share: float | None
    seed: int
    parameters: AzureParameters
    name: str
    folder: Path
    command: str


@dataclass(frozen=True, slots=True)
class AzureFolder:
    """A folder that was written; ``lost_count`` places the format cannot hold, the first of them are in ``lost``."""

    wish: AzureWish
    examples: int
    validation_examples: int | None
    lost_count: int
    lost: tuple[Finding, ...]
    notes: tuple[str, ...]

    def to_data(self) -> dict[str, Any]:
        """As JSON shows it."""
        wish, folder = self.wish, self.wish.folder
        validation = None if self.validation_examples is None else str(folder / VALIDATION)
        files = {"training": str(folder / TRAIN), "validation": validation, "job": str(folder / JOB),
                 "steps": str(folder / PAGE)}  # fmt: skip
        return {
            "plan": "azure", "folder": str(folder), "model": wish.model.name, "way": wish.model.way, "name": wish.name,
            "files": files, "examples": self.examples, "validation_examples": self.validation_examples,
            "parameters": wish.parameters.to_data(), "lost_count": self.lost_count,
            "lost": [one.to_data() for one in self.lost],
            "notes": list(self.notes), "unsure": list(wish.model.unsure),
        }  # fmt: skip


def require_free(folder: Path) -> None:
    """Return if ``folder`` can be written: it does not exist, or is empty.

    Raises:
        UsageError: something is there.
    """
    with contextlib.suppress(FileNotFoundError):
        if not folder.is_dir():
            if folder.exists() or folder.is_symlink():
                raise UsageError(f"{folder} is not a folder", _OTHER)
        elif any(folder.iterdir()):
            raise UsageError(f"{folder} already exists and is not empty", f"{_OTHER}; or remove it")


def name_for(model: AzureModel, train: str, typed: str | None) -> str:
    """The name of the model that comes out: letters, digits, dashes and underscores."""
    name = typed or f"{model.id}-{Path(train).stem}"
    cleaned = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:100]
    if typed is not None and cleaned != typed:
        raise UsageError(
            f"--as {typed} cannot be a name in Azure: use letters, digits, dashes and underscores",
            f"for example: --as {cleaned or 'my-model'}",
        )
    return cleaned or model.id


def write_folder(wish: AzureWish, check: Check, reading: Reading) -> tuple[AzureFolder | None, Report]:
    """Write the folder; None, and no folder, where the data that came out has errors, which are in the report.

    Raises:
        DoesNotFitError: the disk is full.
        UsageError: the folder cannot be written, or there is too little to split.
    """
    require_free(wish.folder)
    with writing("the folder", wish.folder.parent, _OTHER), _new_folder(wish.folder) as folder:
        converted = [_converted(wish.train, folder / TRAIN, reading)]
        if wish.validation is not None:
            converted.append(_converted(wish.validation, folder / VALIDATION, reading))
        notes = () if wish.share is None else _split(folder, wish, reading)
        has_validation = (folder / VALIDATION).exists()
        report = check(str(folder / TRAIN), str(folder / VALIDATION) if has_validation else None)
        if not report.usable:
            return None, report
        counts = [one.examples for one in report.files]
        lost = [finding for one in converted for finding in one.findings.kept()]
        count = sum(one.findings.count("warning") for one in converted)
        made = AzureFolder(wish, counts[0], counts[1] if has_validation else None, count, tuple(lost), notes)
        _write_texts(folder, made)
        if wish.folder.exists():
            wish.folder.rmdir()
        folder.rename(wish.folder)
    return made, report


def _converted(typed: str, target: Path, reading: Reading) -> Converted:
    with opened(typed) as source, Outputs((target,), force=True) as outputs, reading(source) as on_bytes:
        converting = Converting(ConvertOptions("messages", "azure"), lambda data: outputs.write(0, data))
        converting.convert(source, on_bytes)
        return converting.result(str(target))


def _split(folder: Path, wish: AzureWish, reading: Reading) -> tuple[str, ...]:
    """Split the training file of ``folder``; returns notes."""
    whole = folder / "whole.jsonl"
    (folder / TRAIN).replace(whole)
    options = SplitOptions(wish.share, seed=wish.seed)
    with opened(str(whole)) as source, reading(source) as on_bytes:
        made = split(source, folder / TRAIN, folder / VALIDATION, options, force=True, on_bytes=on_bytes)
    whole.unlink()
    return made.notes


def _write_texts(folder: Path, made: AzureFolder) -> None:
    wish, has_validation = made.wish, made.validation_examples is not None
    facts = Facts(
        wish.model, wish.parameters, wish.name, made.examples, made.validation_examples, made.lost_count, wish.command,
        time.strftime("%Y-%m-%d"), phicli.__version__,
    )  # fmt: skip
    job = job_yaml(wish.model, wish.parameters, wish.name, validation=has_validation)
    write_output(folder / JOB, job.encode())
    write_output(folder / PAGE, page(facts).encode())


@contextlib.contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder next to ``target`` that gets its name at the end, or is removed; with those that kills left over."""
    with new_folders(target.parent):
        for left in target.parent.glob(f".{target.name}.new-*"):
            if left.stat().st_mtime < time.time() - _STALE_S:
                shutil.rmtree(left, ignore_errors=True)
        folder = target.with_name(f".{target.name}.new-{secrets.token_hex(8)}")
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
