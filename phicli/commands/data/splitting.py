"""Splits a file for ``phi data split``, with a bar for a long one."""

from __future__ import annotations

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
    base = expand(file)
    if file == PIPE or (base.exists() and not base.is_file() and not base.is_dir()):  # a pipe has no folder to write to
        base = Path("data.jsonl")
    training, validation = (
        given or base.with_name(f"{base.stem}.{word}{base.suffix or '.jsonl'}")
        for given, word in zip(outputs, ("train", "validation"), strict=True)
    )
    with opened(file) as source:
        if file != PIPE and base.resolve() in (training.resolve(), validation.resolve()):
            raise UsageError(f"{file} cannot be written while it is read", "name another file to write")
        total = None if source.size_bytes is None else 2 * source.size_bytes
        with ReadingBar(terminal, f"splitting {source.name}", total) as bar:
            return split(source, training, validation, options, force=force, on_bytes=bar.update)
