"""``phi adapters list``."""

from __future__ import annotations

from phicli.commands.output_format import Json


def list_(as_json: Json = False) -> None:
    """List your adapters (LoRA): the model each was made for, size, and source."""
    from phicli.adapters.description import describe
    from phicli.adapters.registry import damaged_records, registered
    from phicli.ui.adapters.listing import print_adapters
    from phicli.ui.terminal import Terminal

    rows = [describe(adapter) for adapter in registered()]
    print_adapters(Terminal.current(), rows, damaged_records(), as_json=as_json)
