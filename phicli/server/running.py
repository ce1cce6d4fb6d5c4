"""Runs the server until it is told to stop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence

from phicli.errors import UsageError, reason_of
from phicli.server.models import Models
from phicli.server.types import LoadOptions


def serve(
    host: str, port: int | None, options: LoadOptions, on_ready: Callable[[str], None], *,
    background: bool = False, command: Sequence[str] = (), on_notice: Callable[[str], None] = lambda _: None,
) -> None:  # fmt: skip
    """Answer requests on ``host`` and ``port``, and on the socket of this user, until something ends that.

    Args:
        host: to listen on.
        port: to listen on; None for none.
        options: how models are loaded.
        on_ready: gets the address.
        background: this is the server of this user that ends when it is idle.
        command: the words of the command line behind ``phi``.
        on_notice: gets what a person should know.

    Raises:
        UsageError: the port is in use, or the host is not one of this machine.
        TakenError: another server of this user runs, and this one is in the background.
    """
    import uvicorn

    from phicli.server.http.app import make_app
    from phicli.server.http.supervising import routes
    from phicli.server.residence import reside

    with contextlib.ExitStack() as stack:
        residence = reside(background=background, command=command, keep_alive_s=options.keep_alive_s)
        stack.callback(residence.close)
        listening = [] if port is None else [stack.enter_context(contextlib.closing(_bound(host, port)))]
        models = stack.enter_context(contextlib.closing(Models(options)))
        private = make_app(models, routes(models, residence))
        app = residence.app(make_app(models), private)
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", access_log=False, server_header=False)
        )
        address = f"http://{host}:{listening[0].getsockname()[1]}" if listening else ""
        residence.open(server, address)
        if residence.notice:
            on_notice(residence.notice)
        on_ready(address or residence.address)
        server.run(sockets=[*listening, *residence.sockets])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UsageError(
            f"the server cannot listen on {host}:{port}: {reason_of(error)}", "choose another --port"
        ) from error
    listening.listen(128)
    return listening
