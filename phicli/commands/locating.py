"""Finds the file of a model; one that is not on this machine is offered for download."""

from __future__ import annotations

from phicli.catalog.quants import explained
from phicli.commands.choosing import ask_which
from phicli.errors import AmbiguousModelError, NotInstalledError
from phicli.plan.locate import LocatedModel, locate
from phicli.ui.terminal import Terminal


def locate_or_offer(name: str, terminal: Terminal, *, ask: bool, quiet: bool) -> LocatedModel:
    """The file that ``name`` means, downloaded first if a person wants that.

    Args:
        name: as for ``phi chat``.
        terminal: where to ask.
        ask: whether to ask at all; outside a terminal nothing is asked either.
        quiet: print no progress.

    Of several models in a repository a person is asked which.

    Raises:
        AmbiguousModelError: several models are meant, and none was chosen.
        NotInstalledError: it is not on this machine, and nobody wanted the download.
        PhiError: as for :func:`~phicli.plan.locate.locate`, or the download failed.
    """
    try:
        found = locate(name)
        if not quiet and (note := explained(name.partition(":")[2], found.quant)):
            terminal.say(note)
        return found
    except AmbiguousModelError as error:
        return locate(ask_which(terminal, error, ask=ask))
    except NotInstalledError as missing:
        if not ask or not terminal.can_ask:
            raise
        from phicli.commands.downloading import offer

        name = offer(terminal, missing, quiet=quiet)
        return locate(name)
