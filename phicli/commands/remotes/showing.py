"""``phi show`` of a model on a remote."""

from __future__ import annotations

from phicli.commands.remotes.elsewhere import remote_of
from phicli.ui.terminal import Terminal


def is_shown(terminal: Terminal, typed: str, *, as_json: bool) -> bool:
    """Show the model of a remote that ``typed`` means; returns whether it means one. The remote is not asked.

    Raises:
        PhiError: the file of the remotes has an error.
    """
    named = remote_of(typed)
    if named is None:
        return False
    from phicli.remotes.listing import variant_meant
    from phicli.ui.remotes import print_remote_model

    variant = variant_meant(named.model)
    print_remote_model(terminal, named, variant.title if variant else None, as_json=as_json)
    return True
