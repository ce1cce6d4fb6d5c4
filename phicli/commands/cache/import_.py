"""``phi cache import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.options import Json


def import_(
    path: Annotated[Path, typer.Argument(help="A GGUF file, or an archive made by phi cache export.")],
    name: Annotated[str | None, typer.Option("--as", help="What to call it.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Use a GGUF file where it lies, or take in an archive made by export."""
    from phicli.hub.archive.form import is_archive
    from phicli.hub.archive.importing import Imported, import_archive
    from phicli.hub.in_place.registration import Registration, register
    from phicli.ui.cache.hints import import_hints
    from phicli.ui.cache.transport import print_imported, progress
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    done: Registration | Imported
    with progress(terminal) as on_progress, import_hints(path):
        if is_archive(path):
            done = import_archive(path, name=name, on_progress=on_progress)
        else:
            done = register(path, name=name, on_progress=on_progress)
    print_imported(terminal, done, as_json=as_json)
