"""``phi adapters rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.adapters.names import complete_adapter
from phicli.commands.output_format import Json


def rm(
    names: Annotated[
        list[str], typer.Argument(help="Names of adapters.", metavar="NAME...", autocompletion=complete_adapter)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove adapters: the name, and the file where phi converted it. Other files stay."""
    from phicli.adapters.removal import adapters_to_remove, remove
    from phicli.ui.adapters.listing import removal_data, removal_lines
    from phicli.ui.removal import agrees_to_remove, print_removal
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    found = adapters_to_remove(names)
    agreed = agrees_to_remove(terminal, "adapter", removal_lines(found), yes=yes, dry_run=dry_run, as_json=as_json)
    if agreed:
        remove(found)
    print_removal(terminal, "adapter", removal_data(found), done=agreed, dry_run=dry_run, as_json=as_json)
