"""``phi sessions search``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json


def search(
    words: Annotated[list[str], typer.Argument(help="Text to find.", metavar="TEXT", show_default=False)],
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, help="Maximum number of places, best first.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Search questions, attached files and answers of all sessions for a text."""
    from phicli.commands.sessions.names import open_sessions
    from phicli.errors import UsageError
    from phicli.ui.sessions.search_results import print_found
    from phicli.ui.terminal import Terminal

    text = " ".join(words)
    if not text.strip():
        raise UsageError("the text to search for is empty", "give a word: phi sessions search WORD")
    terminal = Terminal.current()
    found = open_sessions(terminal).search(text, limit=limit + 1)
    print_found(terminal, found[:limit], text=text, more=len(found) > limit, as_json=as_json)
