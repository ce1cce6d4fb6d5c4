"""Reads the files of ``phi data check``, with a bar for long ones."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING

from phicli.errors import UsageError
from phicli.training_data.checking import Checking, CheckOptions, Counter
from phicli.training_data.report import Report
from phicli.training_data.source import PIPE, opened
from phicli.ui.terminal import Terminal
from phicli.ui.training_data import ReadingBar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def check_files(
    terminal: Terminal, file: str, validation: str | None, options: CheckOptions, model: str | None,
    *, names: Sequence[str] = (),
) -> Report:  # fmt: skip
    """The report of a training file and, where there is one, of a validation file; Ctrl-C ends it early.

    Args:
        terminal: shows how far it is.
        file: what was typed for the training file.
        validation: what was typed for the validation file.
        options: what is checked.
        model: counts tokens; None where they are not counted.
        names: what the files are called in messages, where that is not what was typed.

    Raises:
        PhiError: a file cannot be read, or there is no such model.
    """
    if file == PIPE == validation:
        raise UsageError("only one of the two files can be standard input", "name a file for --validation")
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(opened(name)) for name in (file, validation) if name is not None]
        for source in sources:
            source.require_json_lines()
        counter = None if model is None else stack.enter_context(_counter(terminal, model))
        checking = Checking(options, counter)
        importlib.import_module("numpy")  # each check needs it, and an import that Ctrl-C ends cannot be repeated
        try:
            for number, source in enumerate(sources):
                name = names[number] if names else source.name
                with ReadingBar(terminal, f"checking {name}", source.size_bytes) as bar:
                    checking.read(source.file, name, bar.update)
        except KeyboardInterrupt:
            checking.interrupt()
        return checking.report()


@contextlib.contextmanager
def _counter(terminal: Terminal, model: str) -> Iterator[Counter]:
    from phicli.commands.locating import locate_or_offer
    from phicli.training_data.counting import open_counter

    with open_counter(locate_or_offer(model, terminal, ask=True, quiet=False)) as counter:
        yield counter
