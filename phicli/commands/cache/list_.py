"""``phi cache list``."""

from __future__ import annotations

from phicli.commands.options import Json


def list_(as_json: Json = False) -> None:
    """List the model files on disk: size, last use, and whether they are verified."""
    from phicli.hub.disk.inventory import inventory
    from phicli.plan.model_facts import facts_by_path
    from phicli.ui.cache.tables import print_inventory
    from phicli.ui.terminal import Terminal

    found = inventory()
    print_inventory(Terminal.current(), found, facts_by_path(found), as_json=as_json)
