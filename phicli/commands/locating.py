"""Finds what a name of a model means: a model of a remote, or a file; one that is not here is offered for download."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from phicli.errors import THIS_COMMAND, AmbiguousModelError, NotFoundError, NotInstalledError, PhiError

if TYPE_CHECKING:
    from phicli.chat.remote import NamedRemote
    from phicli.plan.locate import LocatedModel
    from phicli.ui.terminal import Terminal

_BEGINS_PATH: Final = (".", "/", "~", "\\")


def remote_named(name: str) -> NamedRemote | None:
    """The model of a configured remote that ``name`` means; None for everything else.

    Raises:
        UsageError: the file of the remotes has an error, or the name of the model is missing.
    """
    if name.startswith(_BEGINS_PATH):  # so that a file needs nothing of remotes
        return None
    from phicli.commands.remotes.elsewhere import remote_of

    named = remote_of(name)
    if named is None:
        return None
    from phicli.chat.remote import NamedRemote

    return NamedRemote(named)


def check_usable(name: str) -> None:
    """Return if ``name`` can be a model: of a remote, or what :func:`~phicli.plan.locate.check_default` takes.

    Raises:
        PhiError: it cannot.
    """
    if remote_named(name) is not None:
        return
    from phicli.plan.locate import check_default

    check_default(name)


def locate_or_offer(name: str, terminal: Terminal, *, ask: bool, quiet: bool) -> LocatedModel:
    """The file that ``name`` means, downloaded first if a person wants that.

    Args:
        name: as for ``phi chat``.
        terminal: where to ask.
        ask: whether to ask at all; outside a terminal nothing is asked either.
        quiet: print no progress.

    Of several models in a repository a person is asked which. A name that seems to be that of a remote, misspelled, is
    not offered: the hub would be asked for what was never meant to leave for it.

    Raises:
        AmbiguousModelError: several models are meant, and none was chosen.
        NotInstalledError: it is not on this machine, and nobody wanted the download.
        PhiError: as for :func:`~phicli.plan.locate.locate`, or the download failed.
    """
    from phicli.catalog.quants import explained
    from phicli.plan.locate import locate

    try:
        found = locate(name)
        if not quiet and (note := explained(name.partition(":")[2], found.quant)):
            terminal.say(note)
        return found
    except AmbiguousModelError as error:
        from phicli.commands.choosing import ask_which

        return locate(ask_which(terminal, error, ask=ask))
    except NotInstalledError as missing:
        if meant_remote(name) is not None or not ask or not terminal.can_ask:
            raise as_remote(missing, name) from None
        from phicli.commands.downloading import offer

        name = offer(terminal, missing, quiet=quiet)
        return locate(name)
    except NotFoundError as error:
        raise _with_adapters(as_remote(error, name), name) from None


def _with_adapters(error: NotFoundError, name: str) -> NotFoundError:
    """``error`` about a model called ``name``, with the option for adapters where it is a model and adapters."""
    from phicli.adapters.with_model import split_adapters
    from phicli.bench.subjects import is_model

    model, adapters = split_adapters(name, is_model)
    if all(adapters) and adapters and is_model(model):
        error.hint = f"did you mean {THIS_COMMAND} {model} {shlex.join(f'--adapter={word}' for word in adapters)}?"
    return error


def as_remote(error: NotFoundError, name: str) -> NotFoundError:
    """``error`` about a model called ``name``, with what it could mean where remotes are configured."""
    from phicli.remotes.known import names

    try:
        known = names()
    except PhiError:  # of the file of the remotes, which has nothing to do with the model
        return error
    remote, colon, other = name.partition(":")
    if colon and remote.lower() in known:
        error.hint = f"did you mean {remote.lower()}/{other}, a model of the remote {remote.lower()}? Or {error.hint}"
        return error
    _, slash, model = name.partition("/")
    if not slash and name.lower() in known:
        remote = name.lower()
        hint = f"name a model of it: {THIS_COMMAND} {remote}/MODEL; see its models: phi remotes test {remote}"
        return NotFoundError(f"{name} is a remote, not a model", hint)
    if (meant := meant_remote(name)) is not None:
        error.hint = f"did you mean {meant}/{model}, a model of the remote {meant}? Or {error.hint}"
    return error


def meant_remote(name: str) -> str | None:
    """The remote whose name is misspelled in ``name``; None where there is none, or its owner is known on the hub."""
    owner, slash, model = name.partition("/")
    if not slash or not model or "://" in name or name.startswith(_BEGINS_PATH):
        return None
    from phicli.commands.remotes.owners import known_owner
    from phicli.remotes.close_names import closest
    from phicli.remotes.known import names

    try:
        meant = closest(owner, names())
    except PhiError:
        return None
    return None if meant is None or known_owner(owner) is not None else meant
