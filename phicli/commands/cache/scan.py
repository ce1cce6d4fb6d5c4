"""``phi cache scan``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def scan(
    yes: Annotated[bool, typer.Option("--register", "--yes", "-y", help="Register new models without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the models that were found.")] = False,
    as_json: Json = False,
) -> None:
    """Find the models of Ollama and LM Studio and register them in place."""
    from phicli.hub.in_place.scan import register_new
    from phicli.hub.in_place.scan import scan as look
    from phicli.ui.cache.import_export import agrees_to_register, print_registered, print_scan, progress
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    with progress(terminal) as on_progress:
        seen = look(on_progress)
    if yes and not dry_run:
        seen = register_new(seen)
    print_scan(terminal, seen, as_json=as_json)
    if not dry_run and not as_json and agrees_to_register(terminal, seen):
        print_registered(terminal, register_new(seen))
