"""Models of remotes in commands that are about files on this machine."""

from __future__ import annotations

from typing import Final

from phicli.errors import UsageError
from phicli.paths import is_there, remotes_file
from phicli.remotes.types import RemoteModelName
from phicli.ui.terminal import Terminal

_WORDS: Final = {
    "pull": ("there is nothing to download", "to use it: phi chat {model}"),
    "rm": ("its files are not on this machine", "to remove the remote: phi remotes rm {remote}"),
    "autotune": ("phi autotune tunes the engines of this machine", "to measure its speed: phi bench {model}"),
    "serve": ("phi serve serves the models of this machine", "clients can use the address of the remote: {url}"),
}
"""Command to why it does not do anything for such a model, and what to do."""


def refuse_remote(typed: str, command: str) -> None:
    """Return if ``typed`` does not mean a model of a configured remote, which ``command`` has no use for.

    Raises:
        UsageError: it does, or the file of the remotes has an error.
    """
    named = remote_of(typed)
    if named is None:
        return
    why, hint = _WORDS[command]
    known = {"model": named.reference, "remote": named.remote.name, "url": named.remote.url}
    raise UsageError(f"{named.reference} is a model on the remote {named.remote.name}: {why}", hint.format(**known))


def remote_of(typed: str) -> RemoteModelName | None:
    """The model of a configured remote that ``typed`` means; None for everything else, which is found out cheaply.

    Raises:
        UsageError: the file of the remotes has an error, or the name of the model is missing.
    """
    if "/" not in typed:
        return None
    from phicli.remotes.naming import remote_model

    return remote_model(typed)


def names_to_list(terminal: Terminal) -> tuple[str, ...]:
    """Names of the remotes; where their file has an error, that is said and there are none."""
    if not is_there(str(remotes_file())):  # as for most people, who need not wait for what reads it
        return ()
    from phicli.remotes.known import names

    try:
        return names()
    except UsageError as error:
        terminal.alarm("warning:", error.message)
        terminal.say(f"  {error.hint}")
        return ()
