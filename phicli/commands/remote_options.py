"""Which options of ``phi chat`` mean nothing to a model of a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phicli.commands.options import was_typed
from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.chat.remote import NamedRemote

_OF_ENGINE: Final = {
    "threads": "--threads", "kv_type": "--kv-type", "repack": "--repack", "gpu_layers": "--gpu-layers",
    "engine": "--engine", "llama_server": "--llama-server", "context": "--context",
}  # fmt: skip
"""Parameters of the command that set an engine, and their options. What a setting gives is for other models."""


def refuse_engine_options(ctx: Any, remote: NamedRemote | None) -> None:
    """Return if nothing was typed that sets an engine of this machine, or the model is not one of a ``remote``.

    Raises:
        UsageError: something was.
    """
    for name, option in _OF_ENGINE.items() if remote is not None else ():
        if was_typed(ctx, name):
            assert remote is not None  # noqa: S101 (else there is nothing to look at)
            raise UsageError(
                f"{option} sets an engine of this machine, but {remote.name} is a model of the remote "
                f"{remote.named.remote.name}",
                f"leave out {option}",
            )
