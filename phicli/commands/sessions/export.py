"""``phi sessions export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.sessions.names import Name


def export(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "--out", "-o", help="File to write [default: standard output].")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write a Markdown document (the default).")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON with everything that is saved, for phi sessions import.")
    ] = False,
    openai: Annotated[bool, typer.Option("--openai", help="Write OpenAI messages.")] = False,
) -> None:
    """Write a session to a file or to standard output: Markdown, JSON, or OpenAI messages."""
    from phicli.bench.runs.run_files import write_export
    from phicli.commands.output_format import only_one
    from phicli.commands.sessions.names import open_sessions
    from phicli.ui.sessions.transfer import export_text, print_written
    from phicli.ui.terminal import Terminal

    form = only_one({"markdown": markdown, "json": as_json, "openai": openai}) or "markdown"
    terminal = Terminal.current()
    saved = open_sessions(terminal).get(name)
    text = export_text(saved.info.name, saved.info.model, saved.dialogue, form)
    if output is None or str(output) == "-":
        terminal.write(text)
    else:
        write_export(output, text, force=force)
        print_written(terminal, saved, output, as_json=as_json)
