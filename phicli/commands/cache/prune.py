"""``phi cache prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def prune(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove partial downloads and superseded revisions."""
    from phicli.hub.disk.prune import plan_prune
    from phicli.hub.disk.prune import prune as execute
    from phicli.ui.cache.removal import agrees_to_prune, print_prune
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    plan = plan_prune()
    agreed = agrees_to_prune(terminal, plan, yes=yes, dry_run=dry_run, as_json=as_json)
    busy = execute(plan) if agreed else None
    print_prune(terminal, plan, busy, dry_run=dry_run, as_json=as_json)
