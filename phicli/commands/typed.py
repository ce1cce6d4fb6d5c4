"""What stood on the command line, told from what a setting gives."""

from __future__ import annotations

from typing import Any


def was_typed(ctx: Any, name: str) -> bool:
    """Whether the parameter called ``name`` was typed."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
