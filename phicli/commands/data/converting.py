"""Converts a file or saved sessions for ``phi data convert``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from phicli.errors import OutputClosedError, UsageError
from phicli.training_data.convert_result import Converted
from phicli.training_data.converting import Converting, ConvertOptions
from phicli.training_data.outputs import Outputs
from phicli.training_data.source import PIPE, opened
from phicli.ui.terminal import Terminal
from phicli.ui.training_data import ReadingBar


def convert_to(
    terminal: Terminal, file: str | None, sessions: Sequence[str], options: ConvertOptions, output: Path | None,
    *, force: bool, as_json: bool,
) -> Converted:  # fmt: skip
    """Write a file, or to standard output where ``output`` is None or ``-``.

    Raises:
        PhiError: what is named cannot be read or written.
    """
    if (file is None) == (not sessions):
        raise UsageError("name either a file or saved sessions", "phi data convert FILE, or --session NAME")
    to_file = output is not None and str(output) != PIPE
    if as_json and not to_file:
        raise UsageError("--json requires --output: examples and result cannot both be printed", "add -o NEW.jsonl")
    with contextlib.ExitStack() as stack:
        source = None if file is None else stack.enter_context(opened(file))
        if to_file and output is not None:
            if source is not None:
                source.require_other(output)
            outputs = stack.enter_context(Outputs((output,), force=force))
            converting = Converting(options, lambda data: outputs.write(0, data))
        else:
            converting = Converting(options, _print)
        if source is not None:
            with ReadingBar(terminal, f"converting {source.name}", source.size_bytes) as bar:
                converting.convert(source, bar.update)
        else:
            converting.take(_dialogues(terminal, sessions), "the sessions")
        return converting.result(str(output) if to_file else None)


def _print(data: bytes) -> None:
    """Write to standard output, as bytes: a table has line ends of its own.

    Raises:
        OutputClosedError: the reader has closed it.
        UsageError: there is none.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed", "name a file: -o NEW.jsonl")
    try:
        sys.stdout.buffer.write(data)
    except BrokenPipeError:
        raise OutputClosedError("standard output was closed") from None


def _dialogues(terminal: Terminal, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    from phicli.chat.transfer import openai_data
    from phicli.commands.sessions.names import open_sessions
    from phicli.training_data.formats_in import answered

    store = open_sessions(terminal)
    for name in names:
        yield {"messages": answered(openai_data(store.get(name).dialogue))}
