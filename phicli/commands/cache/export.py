"""``phi cache export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.model_names import complete_here
from phicli.commands.options import Json


def export(
    model: Annotated[str, typer.Argument(help="Model on this machine, e.g. phi-4-mini.", autocompletion=complete_here)],
    target: Annotated[Path, typer.Argument(help="Archive to write, e.g. phi-4-mini.tar.", metavar="FILE.tar")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a model to an archive, to import it on a machine without network access."""
    from phicli.commands.cache.hints import export_hints
    from phicli.hub.archive.exporting import export_model
    from phicli.plan.locate import locate
    from phicli.ui.cache.import_export import print_exported, progress
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    with progress(terminal) as on_progress, export_hints():
        found = locate(model)
        done = export_model(
            found.path, target,
            name=found.name, variant=found.variant, quant=found.quant, force=force, on_progress=on_progress,
        )  # fmt: skip
    print_exported(terminal, done, as_json=as_json)
