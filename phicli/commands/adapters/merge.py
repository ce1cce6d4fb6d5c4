"""``phi adapters merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.adapters.names import complete_adapter
from phicli.commands.model_names import complete_runnable
from phicli.commands.output_format import Json


def merge(
    model: Annotated[
        str, typer.Argument(help="Model on this machine, or a GGUF file.", autocompletion=complete_runnable)
    ],
    adapter: Annotated[
        str,
        typer.Argument(
            help="Adapter, e.g. mine, or mine:0.5 for half of it.", metavar="ADAPTER[:SCALE]",
            autocompletion=complete_adapter,
        ),
    ],
    target: Annotated[Path, typer.Argument(help="File to write, e.g. merged.gguf.", metavar="OUT.gguf")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write a model with an adapter in its weights to a new GGUF file."""
    from phicli.adapters.merging import merge as merge_adapter
    from phicli.commands.adapters.merged import what_to_merge
    from phicli.ui.adapters.adding import print_merged, progress, writing_to
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    what = what_to_merge(model, adapter)
    with progress(terminal, "merging") as on_bytes, writing_to(target):
        done = merge_adapter(what, target, force=force, on_bytes=on_bytes)
    print_merged(terminal, what, done, as_json=as_json)
