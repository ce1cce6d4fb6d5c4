"""``phi serve`` where it does not serve in this process: in the background, or as a unit of systemd."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Background = Annotated[
    bool,
    typer.Option(
        "--background", help="Start the server as a background process of this user, unless it runs; it ends when idle."
    ),
]
PrintUnit = Annotated[
    bool, typer.Option("--print-unit", help="Print a systemd user unit that runs this command, and do nothing else.")
]


def is_done_elsewhere(ctx: typer.Context, *, background: bool, print_unit: bool, as_json: bool) -> bool:
    """Start the server in the background, or print the unit, where that is asked for; whether that was all.

    Raises:
        PhiError: the server did not start.
    """
    from phicli import __version__
    from phicli.supervisor.background import start
    from phicli.ui.serving import print_started
    from phicli.ui.serving import print_unit as show_unit
    from phicli.ui.terminal import Terminal

    if print_unit:
        from phicli.supervisor.unit import unit

        show_unit(Terminal.current(), unit(_words_for_unit(ctx)), as_json=as_json)
        return True
    if background:
        print_started(Terminal.current(), start(typed_words(ctx), version=__version__), as_json=as_json)
    return background


def typed_words(ctx: typer.Context) -> list[str]:
    """The command line behind ``phi`` without formats, with absolute paths where a value is a file here."""
    from phicli.supervisor.unit import absolute

    values = [value for value in ctx.params.values() if isinstance(value, Path | list | tuple)]
    words = [word for word in sys.argv[1:] if word != "--json"]
    return absolute(words, [path for value in values for path in _texts(value)])


class Said:
    """What a server says when it is ready, to a person, to a script, or to the command that started it."""

    def __init__(self, *, detached: bool, as_json: bool) -> None:
        self._detached = detached
        self._as_json = as_json

    def notice(self, text: str) -> None:
        """Say what a person should know."""
        from phicli.ui.terminal import Terminal

        Terminal.current().say(text)

    def ready(self, address: str) -> None:
        """Say where the server listens; nothing more is said on standard output."""
        from phicli.supervisor.background import settle
        from phicli.ui.serving import print_address
        from phicli.ui.terminal import Terminal

        print_address(Terminal.current(), address, as_json=self._as_json)
        if self._detached:
            settle()


def _words_for_unit(ctx: typer.Context) -> list[str]:
    return [word for word in typed_words(ctx) if word not in {"--print-unit", "--background"}]


def _texts(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, Path) else [str(one) for one in value]
