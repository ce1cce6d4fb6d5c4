"""Models of remotes among those that are measured or evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from phicli.commands.bench_options import refuse
from phicli.commands.locating import as_remote
from phicli.commands.options import was_typed
from phicli.commands.remotes.elsewhere import remote_of
from phicli.commands.remotes.notices import say_of_remote
from phicli.engine.settings import FIELDS
from phicli.errors import AmbiguousModelError, NotFoundError, UsageError
from phicli.remotes.types import RemoteModelName
from phicli.ui.terminal import Terminal

_OF_THIS_MACHINE: Final = (
    "context", "adapter", "engine", "llama_server", "memory_check", *(field.parameter for field in FIELDS.values())
)  # fmt: skip


def models_to_ask(ctx: Any, typed: Sequence[str]) -> tuple[str | RemoteModelName, ...]:
    """Models of this machine as they were typed, and models of remotes.

    Raises:
        UsageError: an option is of no use, because all models are on remotes; or the file of the remotes has an error.
        NotFoundError: there is no such model.
    """
    models = tuple(remote_of(name) or name for name in typed)
    remotes = [one for one in models if isinstance(one, RemoteModelName)]
    if remotes and len(remotes) == len(models):
        refuse(ctx, _OF_THIS_MACHINE, "is for models on this machine, and these are on remotes")
    if remotes and was_typed(ctx, "adapter"):
        raise UsageError(
            f"--adapter is for models on this machine, but {remotes[0].reference} is on a remote",
            "name the adapter with its model: MODEL+ADAPTER",
        )
    for name in typed:
        _check_found(name)
    return models


def _check_found(name: str) -> None:
    """Return unless nothing of this machine or a remote is called ``name``; the hint has the remote that is like it."""
    if remote_of(name) is not None:
        return
    from phicli.bench.subjects import locate_with_adapters

    try:
        locate_with_adapters(name)
    except AmbiguousModelError:  # it is here, and is told where it is measured
        return
    except NotFoundError as error:
        raise as_remote(error, name) from None


def say_of_remotes(terminal: Terminal, models: Sequence[str | RemoteModelName], *, quiet: bool) -> None:
    """Say what a person should know before texts are sent to the remotes among ``models``."""
    for one in models:
        if isinstance(one, RemoteModelName):
            say_of_remote(terminal, one, quiet=quiet)


def remote_to_measure(typed: Sequence[str], url: str | None) -> RemoteModelName | None:
    """The model of a remote whose speed is measured; None where there is none among ``typed``.

    Raises:
        UsageError: there is something else, too: it would not be the same measurement.
    """
    remotes = [named for name in typed if (named := remote_of(name)) is not None]
    if not remotes:
        return None
    others = [name for name in (*typed, *([] if url is None else [url])) if name != remotes[0].reference]
    if others:
        raise UsageError(
            f"{remotes[0].reference} is measured over the network, so it cannot be compared with {others[0]}",
            f"use a separate command for each: phi bench {remotes[0].reference}",
        )
    return remotes[0]
