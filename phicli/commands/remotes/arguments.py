"""Arguments and completion of ``phi remotes``."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def complete_remote(incomplete: str) -> list[str]:
    """Names of remotes that begin with ``incomplete``."""
    from phicli.errors import PhiError
    from phicli.remotes.known import names

    try:
        return [name for name in names() if name.startswith(incomplete.lower())]
    except PhiError:
        return []


def complete_kind(incomplete: str) -> list[str]:
    """Kinds that begin with ``incomplete``."""
    from phicli.remotes.kinds import KINDS

    return [name for name in KINDS if name.startswith(incomplete.lower())]


def complete_variable(incomplete: str) -> list[str]:
    """Variables of the environment that seem to have keys and begin with ``incomplete``."""
    import os

    return sorted(name for name in os.environ if name.startswith(incomplete) and name.upper().endswith(_KEY_NAMES))


def complete_model(ctx: Any, incomplete: str) -> list[str]:
    """Models that the remote before it listed last, and that begin with ``incomplete``."""
    from phicli.errors import PhiError
    from phicli.remotes.known import find
    from phicli.remotes.listed import models_of

    try:
        remote = find(str(ctx.params.get("name") or ""))
    except PhiError:
        return []
    models = models_of(remote) if remote else ()
    return [name for name in models if name.lower().startswith(incomplete.lower())]


_KEY_NAMES = ("KEY", "TOKEN", "SECRET")

Name = Annotated[
    str,
    typer.Argument(
        help="Name of the remote, e.g. lab.", metavar="NAME", autocompletion=complete_remote, show_default=False
    ),
]
