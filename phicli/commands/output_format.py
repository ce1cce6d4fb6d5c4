"""What a command prints: text, or a format for programs. Imports nothing of the engine, as ``options.py`` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from phicli.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def only_one(options: Mapping[str, bool]) -> str:
    """The one of ``options`` that was given, without its dashes; empty for none.

    Raises:
        UsageError: more than one was.
    """
    given = [name for name, wanted in options.items() if wanted]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} cannot be used together", "leave out one of them")
    return given[0] if given else ""
