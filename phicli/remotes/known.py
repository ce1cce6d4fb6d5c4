"""The remotes that are configured: the file, read with line numbers and changed in place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from phicli.engine.endpoint.address import Address, address_with_key
from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import remotes_file
from phicli.remotes.close_names import closest
from phicli.remotes.kinds import KINDS
from phicli.remotes.types import Remote
from phicli.settings.file import SettingsFile, did_you_mean, read_settings, toml_value
from phicli.settings.writing import remove_key, set_table

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_KEYS: Final = ("url", "kind", "key_env", "keyring")
ADD: Final = "add one: phi remotes add NAME URL"


def remotes() -> tuple[Remote, ...]:
    """All remotes in the order of the file.

    Raises:
        UsageError: the file cannot be read, or has an error; names the line.
    """
    file = _read()
    return tuple(_remote(file, name) for name in file.tables)


def problems() -> Iterator[UsageError]:
    """What is wrong with the file: of each remote the first error, or the one for which it cannot be read at all."""
    try:
        file = _read()
    except UsageError as error:
        yield error
        return
    for name in file.tables:
        try:
            _remote(file, name)
        except UsageError as error:
            yield error


def names() -> tuple[str, ...]:
    """Names of the remotes in the order of the file, also of those that have an error.

    Raises:
        UsageError: the file cannot be read, or is not TOML.
    """
    return tuple(_read().tables)


def find(name: str) -> Remote | None:
    """The remote called ``name``, in any case; None where there is none. Errors in others do not matter.

    Raises:
        UsageError: the file cannot be read, or this remote has an error; names the line.
    """
    name = name.lower()
    if NAME.fullmatch(name) is None or not (file := _read()).tables:
        return None
    return _remote(file, name) if name in file.tables else None


def require(name: str) -> Remote:
    """The remote called ``name``.

    Raises:
        NotFoundError: there is none; the hint has a close name.
        UsageError: as for :func:`find`.
    """
    if (remote := find(name)) is not None:
        return remote
    raise not_found(name, names())


def add(remote: Remote) -> Path:
    """Write ``remote`` into the file, in the place of one of the same name; returns the file.

    Raises:
        UsageError: the file cannot be read or changed.
        PhiError: another process keeps it.
        OSError: it cannot be written; what was there before is still there.
    """
    values: dict[str, Any] = {"url": remote.url, "kind": remote.kind}
    values |= {"key_env": remote.key_env} if remote.key_env else {}
    values |= {"keyring": True} if remote.keyring else {}
    path = remotes_file()
    try:
        set_table(path, (remote.name,), values)
    except UsageError as error:
        raise _to_fix(error, path) from None
    return path


def remove(name: str) -> Path:
    """Remove the remote called ``name`` from the file; returns the file.

    Raises:
        NotFoundError: there is none; the hint has a close name.
        UsageError, PhiError, OSError: as for :func:`add`.
    """
    path, known = remotes_file(), names()
    name = name if name in known else name.lower()
    if name not in known:
        raise not_found(name, known)
    try:
        remove_key(path, (name,))
    except UsageError as error:
        raise _to_fix(error, path) from None
    return path


def check_name(typed: str) -> str:
    """``typed`` in lower case, where a remote can be called so.

    Raises:
        UsageError: it cannot.
    """
    if NAME.fullmatch(typed.lower()) is None:
        if "://" in typed:  # which may have a password in it
            hint = "put the name before the address: phi remotes add NAME URL"
            raise UsageError("an address cannot be the name of a remote", hint)
        raise UsageError(
            f"{typed!r} cannot be the name of a remote", "use up to 64 letters, digits, ., - and _, e.g. lab"
        )
    return typed.lower()


def check_url(typed: str) -> Address:
    """The endpoint at ``typed``, where a remote can have this address.

    Raises:
        UsageError: it cannot: it is not a URL, or has a user, a password or a query. Nothing of it is quoted.
    """
    return address_with_key(typed)


def _read() -> SettingsFile:
    path = remotes_file()
    try:
        return read_settings(path)
    except UsageError as error:
        words = error.message.replace(f"the settings in {path}", f"the remotes in {path}")
        raise _to_fix(UsageError(words), path) from None
    except ValueError as error:  # a path that no system takes
        raise UsageError(f"the remotes cannot be read: {reason_of(error)}", "set PHI_HOME to a folder") from None


def _to_fix(error: UsageError, path: Path) -> UsageError:
    """``error`` with the hint that belongs to this file, which no command opens."""
    error.hint = f"fix it in an editor: {path}"
    return error


def not_found(name: str, known: tuple[str, ...]) -> NotFoundError:
    """The error that there is no remote called ``name`` among those that are ``known``."""
    close = closest(name, known)
    listed = f"the remotes are {', '.join(known)}" if known else ADD
    return NotFoundError(f"remote {name!r} not found", f"did you mean {close}?" if close else listed)


def _remote(file: SettingsFile, name: str) -> Remote:
    table = file.value((name,))
    if NAME.fullmatch(name) is None:
        raise _wrong(file, name, "", "cannot be the name of a remote: use lower-case letters, digits, ., - and _")
    if not isinstance(table, Mapping):
        raise _wrong(file, name, "", f"is not a table: write [{name}]")
    for key in table:
        if key not in _KEYS:
            raise _wrong(file, name, key, _unknown_key(key))
    url, kind = _url(file, name), _kind(file, name)
    key_env, keyring = table.get("key_env"), table.get("keyring", False)
    if key_env is not None and not (isinstance(key_env, str) and VARIABLE.fullmatch(key_env)):
        raise _wrong(file, name, "key_env", "is not the name of a variable, such as LAB_API_KEY")
    if not isinstance(keyring, bool):
        raise _wrong(file, name, "keyring", f"is {toml_value(keyring)}, which is neither true nor false")
    if keyring and key_env is not None:
        raise _wrong(file, name, "keyring", "and key_env are both set: keep the one that has the key")
    return Remote(name, url, kind, key_env, keyring)


def _unknown_key(key: str) -> str:
    if any(word in key.lower() for word in ("key", "token", "secret", "password")):
        return 'is unknown: keys are not saved here; name the variable that has it: key_env = "LAB_API_KEY"'
    return f"is unknown: {_meant(key, _KEYS)}"


def _url(file: SettingsFile, name: str) -> str:
    url = file.value((name, "url"))
    if not isinstance(url, str):
        raise _wrong(file, name, "url", "is missing" if url is None else "is not a string")
    try:
        return check_url(url).shown
    except UsageError as error:
        raise _wrong(file, name, "url", f"cannot be used: {error.message}") from None


def _kind(file: SettingsFile, name: str) -> Any:
    kind = file.value((name, "kind"))
    if isinstance(kind, str) and kind in KINDS:
        return kind
    if kind is None:
        return "openai"
    raise _wrong(file, name, "kind", f"is unknown: {_meant(kind, KINDS)}")


def _meant(typed: Any, known: Iterable[str]) -> str:
    close = did_you_mean(typed, known) if isinstance(typed, str) else ""
    return close or f"use one of {', '.join(known)}"


def _wrong(file: SettingsFile, name: str, key: str, what: str) -> UsageError:
    place = (name, key) if key else (name,)
    return UsageError(f"{file.place(place)}: {'.'.join(place)} {what}", f"fix it in an editor: {file.path}")
