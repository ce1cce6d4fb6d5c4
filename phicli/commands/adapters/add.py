"""``phi adapters add``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.model_names import complete_runnable
from phicli.commands.output_format import Json


def add(
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder of PEFT or of phi finetune, or GGUF file of an adapter.", metavar="FOLDER-OR-FILE.gguf"
        ),
    ],
    name: Annotated[str | None, typer.Option("--as", help="Name for the adapter.", show_default=False)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--base", help="Check that the adapter fits this model, e.g. phi-4-mini.", autocompletion=complete_runnable,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Give an adapter (LoRA) a name. A GGUF file stays where it is; a PEFT folder is converted."""
    from phicli.adapters.adding import add as add_adapter
    from phicli.commands.adapters.base_model import base_model
    from phicli.finetune.adapter_of_run import adapter_of_run
    from phicli.ui.adapters.adding import print_added, progress
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    of_run = adapter_of_run(path, "phi adapters add")
    if of_run is not None and not as_json:
        terminal.say(f"{path} is a run of phi finetune: its adapter is {of_run}")
    with progress(terminal, "converting") as on_bytes:
        added = add_adapter(of_run or path, name=name, base=base_model(model), on_bytes=on_bytes)
    print_added(terminal, added, as_json=as_json)
