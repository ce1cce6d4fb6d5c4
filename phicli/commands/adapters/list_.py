"""``phi adapters list``."""

from __future__ import annotations

from phicli.commands.output_format import Json


def list_(as_json: Json = False) -> None:
    """List your adapters (LoRA): the model each was made for, size, and source."""
    from phicli.adapters.description import describe
    from phicli.adapters.registry import registered
    from phicli.ui.adapters.listing import print_adapters
    from phicli.ui.terminal import Terminal

    print_adapters(Terminal.current(), [describe(adapter) for adapter in registered()], as_json=as_json)
