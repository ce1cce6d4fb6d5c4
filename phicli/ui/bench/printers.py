"""Runs for programs and for documents: JSON lines, CSV, Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from phicli.records.run import Run
from phicli.ui.bench import cells
from phicli.ui.bench.cells import markdown_table, markdown_text
from phicli.ui.bench.figures import Signs
from phicli.ui.bench.repeat_command import command_of
from phicli.ui.bench.run_columns import COLUMNS, run_record
from phicli.ui.bench.run_facts import shape_of
from phicli.ui.bench.table import common_lines, filled_columns, rows_of
from phicli.ui.envelope import json_line
from phicli.ui.terminal import Terminal, one_line

_SIGNS: Final = Signs()


def print_jsonl(terminal: Terminal, runs: Iterable[Run]) -> None:
    """One JSON object per line and run, as :meth:`Run.to_data` has it.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    for run in runs:
        terminal.write(json_line(terminal, run.to_data()))


def print_csv(terminal: Terminal, runs: Sequence[Run]) -> None:
    """RFC 4180: a header, then one record per run; units are in the names of the columns.

    Texts that a spreadsheet would take for a formula have an apostrophe before them.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    cells.print_csv(terminal, COLUMNS, (run_record(run).values() for run in runs))


def print_markdown(terminal: Terminal, runs: Sequence[Run], notes: Iterable[str] = (), command: str = "") -> None:
    """A table as GitHub shows it, the conditions and ``notes`` below, and the ``command`` to repeat it.

    Without one, it is what follows from ``runs``.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    shape = shape_of(runs)
    rows = rows_of(runs, shape, _SIGNS)
    columns = filled_columns(shape, rows)
    lines = [
        *markdown_table(columns, rows),
        "",
        *(f"- {markdown_text(line)}" for line in common_lines(shape, _SIGNS)),
    ]
    if not any(run.tokens_per_joule for run in runs):
        lines.append("- energy: not available")
    lines += [f"- {markdown_text(note)}" for note in notes]
    terminal.write("\n".join([*lines, "", "```sh", one_line(command or command_of(runs)), "```"]) + "\n")
