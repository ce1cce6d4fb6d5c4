"""What is said before a model of a remote is asked: what else has its name, where texts go, who can read the key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phicli.errors import PhiError
from phicli.remotes.types import RemoteModelName
from phicli.ui.terminal import Terminal

_said: Final[set[str]] = set()
"""Models and remotes of which everything was said in this run."""


def say_of_remote(terminal: Terminal, named: RemoteModelName, *, quiet: bool = False) -> None:
    """Say on standard error what a person should know before texts are sent to ``named``; each thing once per run.

    Where texts go is said at the first use of a remote only, and also when nothing else is to be printed.
    """
    from phicli.remotes.first_use import notice

    if (words := notice(named.remote)) is not None:
        terminal.say(words)
    if not quiet:
        for words in notices(named):
            if words not in _said:
                _said.add(words)
                terminal.say(words)


def notices(named: RemoteModelName) -> Iterator[str]:
    """What is worth saying of ``named`` each time: a repository of that name is here, the key can be read."""
    from phicli.remotes.keys import address_of

    if _is_repository_here(named.reference):
        yield (
            f"{named.reference} is the model of the remote {named.remote.name}, not the repository of that name on "
            f"this machine: that is https://huggingface.co/{named.reference}"
        )
    try:
        warning = address_of(named.remote).exposed_key
    except PhiError:  # it is said where the key is needed
        return
    if warning is not None:
        yield warning


def _is_repository_here(reference: str) -> bool:
    """Whether the cache has a repository of this name."""
    from phicli.catalog.names import is_repo_name
    from phicli.hub.cache import cache_folder
    from phicli.hub.layout import repo_root

    repo = reference.partition(":")[0]
    return is_repo_name(repo) and repo_root(cache_folder(), repo).is_dir()
