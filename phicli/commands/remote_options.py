"""Which options of ``phi chat`` mean nothing to a model of a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phicli.commands.options import was_typed
from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.chat.remote import NamedRemote

_OF_ENGINE: Final = {
    "threads": "--threads", "kv_type": "--kv-type", "repack": "--repack", "gpu_layers": "--gpu-layers",
    "engine": "--engine", "llama_server": "--llama-server", "context": "--context", "adapter": "--adapter",
}  # fmt: skip
"""Parameters of the command that set an engine, and their options. What a setting gives is for other models."""

_NO_EFFECT: Final = {
    "keep_state": (True, "--keep-state"), "attach": (True, "--attach"), "force_tools": (True, "--force-tools"),
    "memory_check": (False, "--no-memory-check"),
}  # fmt: skip
"""Parameters of the command with the value that has no effect, and the option that gives it."""


def of_this_machine(what: str, remote: NamedRemote, hint: str) -> UsageError:
    """The error for ``what`` was typed, which sets an engine, where the model is one of a ``remote``."""
    return UsageError(
        f"{what} sets an engine of this machine, but {remote.name} is a model of the remote {remote.named.remote.name}",
        hint,
    )


def check_remote_options(ctx: Any, remote: NamedRemote | None, *, quiet: bool) -> None:
    """Return if nothing was typed that sets an engine of this machine, or the model is not one of a ``remote``.

    A note names what has no effect, unless nothing but the answer is to be printed (``quiet``).

    Raises:
        UsageError: something was.
    """
    if remote is None:
        return
    for name, option in _OF_ENGINE.items():
        if was_typed(ctx, name):
            raise of_this_machine(option, remote, f"leave out {option}")
    for name, (value, option) in _NO_EFFECT.items() if not quiet else ():
        if was_typed(ctx, name) and ctx.params[name] == value:
            from phicli.ui.terminal import Terminal

            Terminal.current().say(f"note: {option} has no effect on a model of a remote")
