"""Adapters of a load: whether they fit the model, what they take, and how ``--json`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phicli.engine.types import Adapter
from phicli.gguf_file.types import GgufHeader


def adapter_bytes(adapters: Sequence[Adapter], header: GgufHeader, model: str) -> int:
    """The size of all ``adapters`` in bytes, if they fit the ``model`` with this header.

    Raises:
        WrongBaseError: one was made for another model; the message has the shapes.
        PhiError: one cannot be read.
    """
    if not adapters:
        return 0
    from phicli.gguf_file.adapter import check_base, read_adapter

    headers = [read_adapter(adapter.path) for adapter in adapters]
    for found in headers:
        check_base(found, header, name=found.path.stem, model=model)
    return sum(found.size_bytes for found in headers)


def adapters_data(adapters: Sequence[Adapter]) -> dict[str, Any]:
    """Their part of the settings in ``--json``; nothing where there are none."""
    if not adapters:
        return {}
    return {"adapters": [{"path": str(one.path), "scale": one.scale} for one in adapters]}
