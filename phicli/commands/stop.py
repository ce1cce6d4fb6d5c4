"""``phi stop``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json
from phicli.errors import UsageError

_SOON_S = 1.0


def complete_loaded(incomplete: str) -> list[str]:
    """Names of the loaded models that begin with ``incomplete``."""
    from phicli.supervisor.looking import look

    names = [str(row.get("model", "")) for row in (look(_SOON_S) or {}).get("models") or ()]
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def stop(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Model to unload [default: all models].",
            show_default=False,
            autocompletion=complete_loaded,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Unload all models and end phi serve.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what is in use: its answers end.")] = False,
    as_json: Json = False,
) -> None:
    """Unload models, or end phi serve."""
    from phicli.supervisor.stopping import stop as stop_it
    from phicli.ui.serving import print_stopped
    from phicli.ui.terminal import Terminal

    if model is not None and everything:
        raise UsageError("--all unloads all models, but one was named", "leave out --all, or the model")
    if force and not everything and model is None:
        raise UsageError(
            "--force requires a model or --all", "to end the server and its answers: phi stop --all --force"
        )
    print_stopped(Terminal.current(), stop_it(model, everything=everything, force=force), as_json=as_json)
