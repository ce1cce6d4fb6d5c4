"""The model that an adapter is checked against."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.adapters.adding import Base


def base_model(name: str | None) -> Base | None:
    """The model called ``name``; None for None.

    Raises:
        PhiError: it is not on this machine, or its file cannot be read.
    """
    if name is None:
        return None
    from phicli.adapters.adding import Base
    from phicli.gguf_file.header import read_header
    from phicli.plan.locate import locate

    located = locate(name)
    return Base(located.name, located.reference, read_header(located.path))
