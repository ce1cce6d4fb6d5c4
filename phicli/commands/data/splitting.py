"""Splits a file for ``phi data split``, with a bar for a long one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phicli.errors import UsageError
from phicli.paths import expand
from phicli.training_data.source import PIPE, opened
from phicli.training_data.split_result import Split
from phicli.training_data.splitting import SplitOptions, split
from phicli.ui.terminal import Terminal
from phicli.ui.training_data import ReadingBar


def split_file(
    terminal: Terminal, file: str, outputs: tuple[Path | None, Path | None], options: SplitOptions, *, force: bool
) -> Split:
    """Write the two files beside ``file``, or where ``outputs`` says.

    Raises:
        PhiError: it cannot be read or split, or the files cannot be written.
    """
    with opened(file) as source:
        training, validation = _paths(file, outputs)
        total = None if source.size_bytes is None else 2 * source.size_bytes
        with ReadingBar(terminal, f"splitting {source.name}", total) as bar:
            return split(source, training, validation, options, force=force, on_bytes=bar.update)


def _paths(file: str, outputs: tuple[Path | None, Path | None]) -> Iterator[Path]:
    """The training and the validation file."""
    base = expand(file)
    if file == PIPE or not base.is_file():  # a pipe has no folder to write to
        base = Path("data.jsonl")
    for given, word in zip(outputs, ("train", "validation"), strict=True):
        if given is not None and str(given) == PIPE:
            raise UsageError("standard output cannot be one of two files", "name two files, or leave out both options")
        yield given or base.with_name(f"{base.stem}.{word}{base.suffix or '.jsonl'}")
