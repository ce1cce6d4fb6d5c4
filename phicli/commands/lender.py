"""Whether ``phi chat`` asks the server of this user for a model that is loaded."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from phicli.commands.options import was_typed
from phicli.engine.starting import DEFAULT_ENGINE, EngineChoice
from phicli.supervisor.place import place

Attach = Annotated[
    bool,
    typer.Option("--attach/--no-attach", help="Use the model of phi serve, if it runs with the same settings."),
]
_CONNECT_S = 0.2
"""A server that runs accepts connections at once; one that is suspended may not."""


@dataclass(frozen=True, slots=True)
class Lender:
    """The socket of the server to ask; None for nobody, and ``why_not`` says why."""

    socket: Path | None = None
    why_not: str = ""


def lender_of(ctx: Any, engine: EngineChoice | None, *, attach: bool, dry_run: bool) -> Lender:
    """The server to ask before an engine is started; its process is asked only whether it is there."""
    if not attach:
        return Lender(why_not="--no-attach")
    if engine is not None and engine.name != DEFAULT_ENGINE:
        return Lender(why_not=f"--engine {engine.name}")
    if dry_run:
        return Lender(why_not="--dry-run")
    if ctx.params["keep_state"] and was_typed(ctx, "keep_state"):
        return Lender(why_not="--keep-state: the server's engine cannot save the KV cache of one session")
    path = _socket() if place().state.exists() else None  # where none was started, this takes almost no time
    return Lender(path) if path else Lender(why_not="no server of this user runs")


def _socket() -> Path | None:
    """The socket of the server of this user; None where nobody accepts connections there."""
    import socket

    from phicli.supervisor.finding import socket_of_server

    path, family = socket_of_server(), getattr(socket, "AF_UNIX", None)
    if path is None or family is None:
        return None
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(_CONNECT_S)
        connection.connect(str(path))
        return path
    return None
