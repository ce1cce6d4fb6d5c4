"""The option for adapters."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.adapters.names import complete_adapter

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
