"""``phi serve`` where it does not serve in this process: in the background, or as a unit of systemd."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from phicli.commands.adapter_options import from_every_folder, named_adapters
from phicli.commands.options import was_typed
from phicli.errors import UsageError

Background = Annotated[
    bool,
    typer.Option(
        "--background", help="Start the server as a background process of this user, unless it runs; it ends when idle."
    ),
]
PrintUnit = Annotated[
    bool, typer.Option("--print-unit", help="Print a systemd user unit that runs this command, and do nothing else.")
]


def is_done_elsewhere(ctx: typer.Context, *, background: bool, print_unit: bool) -> bool:
    """Start the server in the background, or print the unit, where that is asked for; whether that was all.

    Raises:
        PhiError: the server did not start.
    """
    as_json, quiet = ctx.params["as_json"], ctx.params["quiet"]
    if print_unit:
        from phicli.supervisor.unit import unit
        from phicli.ui.serving import print_unit as show_unit
        from phicli.ui.terminal import Terminal

        _check_unit(ctx, Terminal.current().say)
        show_unit(Terminal.current(), unit(_words_for_unit(ctx)), as_json=as_json)
        return True
    if background:
        from phicli import __version__
        from phicli.server.key import read_key
        from phicli.supervisor.background import Wanted, start
        from phicli.ui.serving import print_started
        from phicli.ui.terminal import Terminal

        if ctx.params["preload"] and not quiet:
            Terminal.current().say("the models are loaded first; Ctrl-C ends the start")
        port = port_of(ctx, ctx.params["port"], detached=True)
        wanted = Wanted(typed_words(ctx), port, read_key(ctx.params["api_key_file"]))
        started = start(wanted, version=__version__)
        print_started(Terminal.current(), started, as_json=as_json, quiet=quiet)
    return background


def typed_words(ctx: typer.Context) -> list[str]:
    """The command line behind ``phi`` without formats, with absolute paths where a value is a file here."""
    from phicli.supervisor.unit import absolute

    values = [value for value in ctx.params.values() if isinstance(value, Path | list | tuple)]
    words = [word for word in sys.argv[1:] if word != "--json"]
    found = absolute(words, [path for value in values for path in _texts(value)])
    return from_every_folder(found, ctx.params.get("adapter"))


def port_of(ctx: typer.Context, port: int, *, detached: bool) -> int | None:
    """The port to listen on; a server in the background has one only if it was typed."""
    return port if not detached or was_typed(ctx, "port") else None


def _words_for_unit(ctx: typer.Context) -> list[str]:
    return [word for word in typed_words(ctx) if word not in {"--print-unit", "--background"}]


def _check_unit(ctx: typer.Context, say: Callable[[str], None]) -> None:
    """Return if the unit could start as it is; the variable with the key is not part of it.

    Raises:
        PhiError: a model does not exist, the key file is of no use, or a key is required and in no file.
    """
    from phicli.server.key import VARIABLE, read_key
    from phicli.server.names import Names
    from phicli.server.sockets import addresses_of, is_loopback

    given = ctx.params
    Names(given["models"] or (), may_pull=given["pull"])
    named_adapters(given["adapter"])
    if given["api_key_file"] is not None:
        read_key(given["api_key_file"])
        return
    if not is_loopback(addresses_of(given["host"])) or "*" in (given["allow_origin"] or ()):
        message = "a unit with this --host or --allow-origin requires a key"
        raise UsageError(message, f"use --api-key-file FILE: {VARIABLE} is not part of the unit")
    if read_key(None):
        say(f"note: {VARIABLE} is not part of the unit; to require a key: --api-key-file FILE")


def _texts(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, Path) else [str(one) for one in value]
