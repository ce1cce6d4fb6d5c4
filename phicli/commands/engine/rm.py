"""``phi engine rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def complete_build(incomplete: str) -> list[str]:
    """The names of builds that begin with ``incomplete``."""
    from phicli.kernels.listing import names

    return [name for name in names() if name.startswith(incomplete)]


def rm(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the kernels as phi engine list prints it, or their variant, e.g. zen4.",
            autocompletion=complete_build,
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove kernels that were built here."""
    from phicli.kernels.listing import find, remove
    from phicli.ui.engine.kernels import agrees_to_remove, print_removal
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    row = find(name)
    agreed = agrees_to_remove(terminal, row, yes=yes, dry_run=dry_run, as_json=as_json)
    if agreed:
        remove(row)
    print_removal(terminal, row, done=agreed, dry_run=dry_run, as_json=as_json)
