"""``phi engine list``."""

from __future__ import annotations

from phicli.commands.options import Json


def list_(as_json: Json = False) -> None:
    """List the kernels of the engine: those of the wheel and those that were built here."""
    from phicli.kernels.listing import rows
    from phicli.ui.engine.kernels import print_kernels
    from phicli.ui.terminal import Terminal

    print_kernels(Terminal.current(), rows(), as_json=as_json)
