"""``phi runs export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.runs.ids import complete_run


def export(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Run ids or their beginnings, or last [default: all runs].",
            metavar="[RUN]...",
            show_default=False,
            autocompletion=complete_run,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "--out", "-o", help="File to write [default: standard output].")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Write JSON lines: one object per run (the default).")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for spreadsheets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object with all runs.")] = False,
) -> None:
    """Write runs to a file or to standard output."""
    from phicli.bench.runs.run_files import write_export
    from phicli.commands.options import output_format
    from phicli.commands.runs.ids import chosen, open_history
    from phicli.ui.bench.export_formats import export_text, print_export, print_written
    from phicli.ui.terminal import Terminal

    form = output_format(as_json=as_json, jsonl=jsonl, csv=csv, markdown=False)
    terminal = Terminal.current()
    found = chosen(open_history(terminal), runs or ())
    text = export_text(found, form)
    if output is None or str(output) == "-":
        print_export(terminal, text)
    else:
        write_export(output, text, force=force)
        print_written(terminal, len(found), output, as_json=as_json)
