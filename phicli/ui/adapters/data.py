"""An adapter as ``--json`` has it."""

from __future__ import annotations

from typing import Any

from phicli.adapters.description import AdapterDescription


def adapter_data(shown: AdapterDescription) -> dict[str, Any]:
    """All that is known about it."""
    adapter, header = shown.adapter, shown.header
    return {
        "name": adapter.name,
        "path": str(adapter.path),
        "source": adapter.source,
        "converted": adapter.is_ours,
        "size_bytes": adapter.size_bytes,
        "base": {"name": adapter.base_name, "checked_with": adapter.base_model, "fits": list(shown.fits)},
        "architecture": None if header is None else header.architecture,
        "alpha": None if header is None else header.alpha,
        "ranks": [] if header is None else list(header.ranks),
        "parameters": None if header is None else header.parameters,
        "modules": dict(shown.modules),
        "problem": shown.problem,
    }
