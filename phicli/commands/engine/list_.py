"""``phi engine list``."""

from __future__ import annotations

from phicli.commands.options import Json


def list_(as_json: Json = False) -> None:
    """List the kernels of the wheel and the kernels that were built on this machine."""
    from phicli.kernels.listing import rows, worth_a_build
    from phicli.ui.engine.kernels import print_kernels
    from phicli.ui.terminal import Terminal

    print_kernels(Terminal.current(), rows(), worth_a_build, as_json=as_json)
