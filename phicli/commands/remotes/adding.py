"""A remote as it was typed: checked, completed, and compared with what else has such a name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from phicli.commands.remotes.owners import known_owner
from phicli.errors import PhiError, UsageError
from phicli.remotes.keys import address_of
from phicli.remotes.kinds import KINDS, kind_of_url
from phicli.remotes.known import VARIABLE, add, check_name, check_url, find
from phicli.remotes.types import KindName, Remote
from phicli.settings.file import did_you_mean

_LONGEST_LOWER: Final = 20
"""Names of variables that are longer and not in capitals are taken for a key."""
_OTHER: Final = "choose another name, e.g. lab"
_OWN: Final = "phi"
_HOSTED: Final = ("azure", "nvidia")
"""Kinds whose services require a key."""


@dataclass(frozen=True, slots=True)
class Added:
    """A remote that was written into ``path``, the one that had its name ``before``, and what there is to know."""

    remote: Remote
    path: Path
    before: Remote | None
    notes: tuple[str, ...]


def add_remote(name: str, url: str, kind: str | None, key_env: str | None, *, keyring: bool) -> Added:
    """Save a remote; what is not given stays as it is where a remote of this name has the same address.

    Raises:
        UsageError: a value makes no sense, or the name means something else.
        PhiError, OSError: it cannot be saved.
    """
    name = check_name(name)
    _check_free(name)
    _check_key(key_env, keyring=keyring)
    before = _known(name)
    chosen = _kind(kind) or kind_of_url(check_url(url).shown)
    address = _completed(check_url(url).shown, chosen)
    kept = before if before is not None and before.url == address else None
    if kind is None and kept is not None:
        chosen = kept.kind
    if kept is not None and key_env is None and not keyring:
        key_env, keyring = kept.key_env, kept.keyring
    remote = Remote(name, address, chosen or "openai", key_env, keyring)
    path = add(remote)
    notes = _notes(remote, guessed=kind is None and kept is None, typed=url)
    if before is not None and before.url != address:
        notes.append(f"{name} was {before.url}; to change it back: {command_to_add(before)}")
    if before is not None and before.key_env and not (remote.key_env or remote.keyring):
        notes.append(
            f"{before.key_env} is not sent to the new address; if it is the key there, too: "
            f"phi remotes add {name} {address} --key-env {before.key_env}"
        )
    return Added(remote, path, before, tuple(notes))


def command_to_add(remote: Remote) -> str:
    """What is typed to configure ``remote`` as it is."""
    key = f" --key-env {remote.key_env}" if remote.key_env else " --keyring" if remote.keyring else ""
    return f"phi remotes add {remote.name} {remote.url} --kind {remote.kind}{key}"


def _known(name: str) -> Remote | None:
    """The remote of this name; None also where its table has an error, which is about to be replaced."""
    try:
        return find(name)
    except UsageError:
        return None


def _check_free(name: str) -> None:
    from phicli.catalog.resolve import resolve

    if name == _OWN:
        raise UsageError("a remote cannot be called phi: that is the name of this program", _OTHER)
    try:
        variant = resolve(name).variant
    except PhiError:
        return
    raise UsageError(f"a remote cannot be called {name}: that is the name of the model {variant.id}", _OTHER)


def _check_key(key_env: str | None, *, keyring: bool) -> None:
    """Return if this is the name of a variable; what may be a key itself is not quoted."""
    if keyring and key_env:
        raise UsageError("--key-env and --keyring cannot be used together", "leave out one of them")
    if key_env is None or (key_env in os.environ and VARIABLE.fullmatch(key_env)):
        return
    lower = len(key_env) > _LONGEST_LOWER and key_env != key_env.upper()
    if VARIABLE.fullmatch(key_env) is None or lower:
        raise UsageError(
            "--key-env takes the name of a variable, and this is not one; the key itself is never saved",
            "for example: export LAB_API_KEY=… and then --key-env LAB_API_KEY",
        )


def _kind(typed: str | None) -> KindName | None:
    if typed is None:
        return None
    if typed.lower() not in KINDS:
        raise UsageError(f"unknown kind: {typed!r}", did_you_mean(typed, KINDS) or f"the kinds are {', '.join(KINDS)}")
    return cast("KindName", typed.lower())


def _completed(url: str, kind: KindName | None) -> str:
    """``url`` with the path that addresses of this kind have, where it has none.

    Raises:
        UsageError: it has another one, and the kind has only this one.
    """
    end = KINDS[kind or "openai"].path
    path = urlsplit(url).path
    if not path:
        return url + end
    if kind == "azure" and not path.endswith(end):
        raise UsageError(
            f"the address of an Azure resource ends in {end}", f"did you mean {url.removesuffix(path)}{end}?"
        )
    return url


def _notes(remote: Remote, *, guessed: bool, typed: str) -> list[str]:
    """What a person should know of what was saved."""
    again = f"phi remotes add {remote.name} {remote.url}"
    notes = []
    if guessed and kind_of_url(typed) is None:
        notes.append(f"the address does not name a product, so the kind is openai; to change it: {again} --kind KIND")
    elif guessed:
        notes.append(f"the kind is {remote.kind}, by the address; if it is another: {again} --kind KIND")
    if remote.kind in _HOSTED and not (remote.key_env or remote.keyring):
        notes.append(f"{KINDS[remote.kind].title} requires a key: {again} --key-env VARIABLE")
    if remote.key_env and not os.environ.get(remote.key_env, "").strip():
        notes.append(f"{remote.key_env} is not set yet: export {remote.key_env}=…")
    elif remote.key_env and (warning := address_of(remote).exposed_key):
        notes.append(warning)
    if (owner := known_owner(remote.name)) is not None:
        notes.append(
            f"{owner} also has repositories on the hub: {remote.name}/NAME means this remote from now on, and their "
            f"addresses mean them: https://huggingface.co/{owner}/NAME"
        )
    if Path(remote.name).is_dir():
        notes.append(f"there is a folder {remote.name} here: {remote.name}/NAME means a file in it, if it exists")
    return notes
