"""Removes adapters: their names, and the files that were converted for them."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.adapters.registry import RegisteredAdapter, find, find_damaged, forget, unknown
from phicli.hub.write_errors import writing
from phicli.paths import data_dir


def adapters_to_remove(names: Sequence[str]) -> tuple[RegisteredAdapter, ...]:
    """The adapters called ``names``, each once, whether or not their files and records are still good.

    Raises:
        NotFoundError: there is none of that name; nothing is removed then.
    """
    found: dict[str, RegisteredAdapter] = {}
    for name in names:
        adapter = find(name) or find_damaged(name)
        if adapter is None:
            raise unknown(name)
        found[adapter.name] = adapter
    return tuple(found.values())


def remove(adapters: Sequence[RegisteredAdapter]) -> None:
    """Remove them; a file that was not converted here stays.

    Raises:
        UnwritableError: one cannot be deleted.
    """
    with writing("the folder", data_dir(), "check its permissions, and those of what is in it"):
        for adapter in adapters:
            forget(adapter)
