"""``phi cache import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.options import Json


def import_(
    path: Annotated[Path, typer.Argument(help="GGUF file, or an archive made by phi cache export.")],
    name: Annotated[str | None, typer.Option("--as", help="Name for the model.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Register a GGUF file in place, or import an archive made by phi cache export."""
    from phicli.commands.cache.hints import import_hints
    from phicli.plan.importing import import_model
    from phicli.ui.cache.import_export import print_imported, progress
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    with progress(terminal) as on_progress, import_hints(path):
        new = import_model(path, name=name, on_progress=on_progress)
    print_imported(terminal, new, as_json=as_json)
