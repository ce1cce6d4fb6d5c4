"""The options of ``phi serve``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from phicli.commands.model_names import complete_runnable
from phicli.commands.options import checked
from phicli.errors import UsageError

_FOREVER: Final = "forever"
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_DURATION: Final = re.compile(r"([0-9]{1,7})(s|m|h|)")


def read_duration(typed: str) -> float | None:
    """Seconds; None for ``forever``. ``5m``, ``90s``, ``2h``, ``90`` and ``forever`` are durations.

    Raises:
        UsageError: it is not one.
    """
    match = _DURATION.fullmatch(typed.strip().lower())
    if match is None:
        if typed.strip().lower() == _FOREVER:
            return None
        raise UsageError(f"--keep-alive is not a duration: {typed!r}", "use e.g. 5m, 90s, 2h, 0 or forever")
    return float(int(match[1]) * _SECONDS[match[2]])


def read_origins(typed: list[str] | None) -> list[str] | None:
    """The origins as browsers write them.

    Raises:
        UsageError: one is not an origin.
    """
    if typed is None:
        return None
    from phicli.server.origins import check_origin

    return [check_origin(origin) for origin in typed]


def read_hosts(typed: list[str] | None) -> list[str] | None:
    """The names as the server compares them.

    Raises:
        UsageError: one is not a name.
    """
    for name in typed or ():
        if _HOST.fullmatch(name) is None:
            raise UsageError(
                f"--allow-host is not a name: {name!r}", "name a host without a port, e.g. phi.example.org"
            )
    return typed and [name.lower().removesuffix(".") for name in typed]


def read_models(typed: list[str] | None) -> list[str] | None:
    """The models; those of remotes are not served here.

    Raises:
        UsageError: one is a model of a remote.
    """
    from phicli.commands.remotes.elsewhere import refuse_remote

    for model in typed or ():
        refuse_remote(model, "serve")
    return typed


ServedModels = Annotated[
    list[str] | None,
    typer.Argument(
        help="Models to serve, named as for phi chat [default: all installed models].",
        autocompletion=complete_runnable,
        callback=read_models,
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option("--host", help="Address to listen on; others than this machine require a key.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Preload = Annotated[bool, typer.Option("--preload", help="Load the models that are named before serving.")]
Parallel = Annotated[
    int | None,
    typer.Option("--parallel", min=1, max=64, help="Answers at a time per model [default: depends on memory]."),
]
KeepAlive = Annotated[
    str,
    typer.Option(
        "--keep-alive",
        help="How long an unused model stays in memory, e.g. 5m, 0 or forever.",
        callback=checked(read_duration),
    ),
]
Pull = Annotated[bool, typer.Option("--pull", help="Download a model that a request names and that is not here.")]
ApiKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file", help="File with the key that requests must have [default: the variable PHI_SERVE_KEY]."
    ),
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        help="Accept requests of web pages from this origin, e.g. https://example.org. Can be repeated.",
        callback=read_origins,
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        help="Accept requests to this name too, e.g. of a proxy in front of the server. Can be repeated.",
        callback=read_hosts,
        show_default=False,
    ),
]
LogPrompts = Annotated[bool, typer.Option("--log-prompts", help="Print the prompts of requests, too.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Print a line for each request, also where no terminal is."),
]
