"""The option for adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from phicli.commands.adapters.names import complete_adapter

if TYPE_CHECKING:
    from phicli.engine.types import Adapter

Adapters = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        help="Use an adapter (LoRA): its name, or a GGUF file; NAME:0.5 uses half of it. Can be repeated.",
        metavar="NAME[:SCALE]",
        autocompletion=complete_adapter,
        show_default=False,
    ),
]


def adapters_of(typed: list[str] | None) -> tuple[Adapter, ...]:
    """The adapters that were typed, or given by a setting; a command without any loads nothing of them.

    Raises:
        PhiError: there is no such adapter, or its file cannot be used.
    """
    if not typed:
        return ()
    from phicli.adapters.typed import adapters_typed

    return adapters_typed(typed)
