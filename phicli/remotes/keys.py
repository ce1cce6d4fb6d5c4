"""Keys of remotes: read from where they are kept when they are sent, and never written."""

from __future__ import annotations

import os

from phicli.engine.endpoint.address import Address, address_with_key
from phicli.errors import UsageError, install_hint
from phicli.remotes.types import Remote

SERVICE = "phi"
"""The service under which the system's keyring has the keys; the user is the name of the remote."""


def address_of(remote: Remote) -> Address:
    """Where ``remote`` is, with its key.

    The key is that of the variable that is named, or of the system's keyring; no other variable is looked at.

    Raises:
        UsageError: there is no key where one was named, or it cannot be sent.
    """
    if remote.keyring:
        key, name, give = _from_keyring(remote), f"the keyring's key of {remote.name}", ""
    elif remote.key_env:
        key, name, give = _from_variable(remote, remote.key_env), remote.key_env, ""
    else:
        key, name = "", f"the key of {remote.name}"
        give = f"name a variable that has the key: phi remotes add {remote.name} {remote.url} --key-env VARIABLE"
    return address_with_key(remote.url, key, key_name=name, give_key=give)


def place_of(remote: Remote) -> str:
    """Where its key is, in words; empty for a remote without one."""
    return f"keyring ({SERVICE}, {remote.name})" if remote.keyring else remote.key_env or ""


def has_key(remote: Remote) -> bool:
    """Whether its variable is set; the keyring is not opened."""
    return bool(remote.key_env and os.environ.get(remote.key_env, "").strip())


def _from_variable(remote: Remote, name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key:
        raise UsageError(
            f"{name} is not set, and {remote.name} takes its key from it",
            f"set it: export {name}=…; or use another variable: "
            f"phi remotes add {remote.name} {remote.url} --key-env VARIABLE",
        )
    return key


def _from_keyring(remote: Remote) -> str:
    from importlib import import_module

    try:
        keyring, errors = import_module("keyring"), import_module("keyring.errors")
    except ModuleNotFoundError:
        raise UsageError(
            f"the key of {remote.name} is in the keyring, which requires the Python package keyring",
            install_hint("keyring"),
        ) from None
    try:
        key = keyring.get_password(SERVICE, remote.name)
    except errors.KeyringError as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"the keyring of this system cannot be read: {words}",
            f"use a variable instead: phi remotes add {remote.name} {remote.url} --key-env VARIABLE",
        ) from None
    if not key:
        raise UsageError(f"the keyring has no key for {remote.name}", f"save it: keyring set {SERVICE} {remote.name}")
    return str(key)
