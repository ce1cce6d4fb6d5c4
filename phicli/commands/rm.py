"""``phi rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.model_names import complete_here
from phicli.commands.options import Json


def rm(
    model: Annotated[
        str,
        typer.Argument(
            help="Model: phi-4-mini (all quantizations), phi-4-mini:q4_k_m, owner/repo[:QUANT or FILE.gguf], or a name "
            "from phi cache import.",
            autocompletion=complete_here,
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove a model from the cache."""
    from phicli.commands.remotes.elsewhere import refuse_remote
    from phicli.hub.disk.removal import plan_removal, remove
    from phicli.ui.cache.removal import agrees_to_remove, print_removal
    from phicli.ui.terminal import Terminal

    refuse_remote(model, "rm")
    terminal = Terminal.current()
    plan = plan_removal(model)
    agreed = agrees_to_remove(terminal, plan, yes=yes, dry_run=dry_run, as_json=as_json)
    if agreed:
        remove(plan)
    print_removal(terminal, plan, done=agreed, dry_run=dry_run, as_json=as_json)
