"""Names of adapters on the command line, and how they are completed."""

from __future__ import annotations


def complete_adapter(incomplete: str) -> list[str]:
    """The adapters whose names begin with ``incomplete``."""
    from phicli.adapters.registry import registered

    return [one.name for one in registered() if one.name.lower().startswith(incomplete.lower())]
