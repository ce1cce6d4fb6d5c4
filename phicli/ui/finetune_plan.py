"""What ``phi finetune --plan`` prints: which files were written, and what they could not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phicli.finetune.azure.writing import JOB, PAGE, TRAIN, VALIDATION, AzureFolder
from phicli.training_data.report import Report
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal, one_line
from phicli.units import counted

_SHOWN: Final = 5


def print_azure_folder(terminal: Terminal, made: AzureFolder, report: Report, *, as_json: bool) -> None:
    """The folder to standard output, notes to standard error."""
    warnings = [one for one in report.findings.kept() if one.severity == "warning"]
    if as_json:
        print_result(terminal, "finetune", made.to_data() | {"warnings": [one.to_data() for one in warnings]})
        return
    for line in aligned(list(_rows(made))):
        terminal.write_line(line)
    for finding in made.lost[:_SHOWN]:
        terminal.say(one_line(f"warning: {finding.where}, {finding.place}: {finding.message}"))
    if made.lost_count > _SHOWN:
        terminal.say(f"warning: and {counted(made.lost_count - _SHOWN, 'more place')}")
    for finding in warnings:
        terminal.say(one_line(f"warning: {finding.where}: {finding.message}"))
    for note in made.notes:
        terminal.say(f"note: {note}")
    for sentence in made.wish.model.unsure:
        terminal.say(f"note: {sentence}")
    terminal.say(f"nothing was sent; what to do next: {made.wish.folder / PAGE}")


def _rows(made: AzureFolder) -> Iterator[tuple[str, str]]:
    wish = made.wish
    yield "model", f"{wish.model.name} ({'serverless' if wish.model.way == 'serverless' else 'managed compute'})"
    yield "folder", str(wish.folder)
    yield TRAIN, counted(made.examples, "example")
    if made.validation_examples is not None:
        yield VALIDATION, counted(made.validation_examples, "example")
    chosen = wish.parameters.hyperparameters()
    yield JOB, ", ".join(f"{key} {value}" for key, value in chosen.items()) or "all parameters left to Azure"
    yield PAGE, "the steps, in the portal, with az and with Python"
