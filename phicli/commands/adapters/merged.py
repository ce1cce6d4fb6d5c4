"""What ``phi adapters merge`` merges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.adapters.merging import Merge


def what_to_merge(model: str, adapter: str) -> Merge:
    """The model and the adapter that are meant.

    Raises:
        PhiError: one is not on this machine, or its file cannot be read.
    """
    from phicli.adapters.merging import Merge
    from phicli.adapters.typed import adapter_typed, split_scale
    from phicli.gguf_file.adapter import read_adapter
    from phicli.gguf_file.header import read_header
    from phicli.plan.locate import locate

    located, found = locate(model), adapter_typed(adapter)
    return Merge(
        read_header(located.path), located.name, read_adapter(found.path), split_scale(adapter)[0], found.scale
    )
