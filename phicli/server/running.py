"""Runs the server until it is told to stop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from phicli.errors import UsageError, reason_of
from phicli.server.models import Models
from phicli.server.types import LoadOptions


def serve(host: str, port: int, options: LoadOptions, on_ready: Callable[[str], None]) -> None:
    """Answer requests on ``host`` and ``port`` until a signal ends that; ``on_ready`` gets the address.

    Raises:
        UsageError: the port is in use, or the host is not one of this machine.
    """
    import uvicorn

    from phicli.server.http.app import make_app

    with contextlib.closing(_bound(host, port)) as listening, contextlib.closing(Models(options)) as models:
        on_ready(f"http://{host}:{listening.getsockname()[1]}")
        config = uvicorn.Config(make_app(models), log_config=None, access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listening])


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
