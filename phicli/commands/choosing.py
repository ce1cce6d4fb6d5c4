"""Asks which of several models is meant; a script is told to name one."""

from __future__ import annotations

from phicli.errors import AmbiguousModelError
from phicli.ui.confirm import which
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes


def ask_which(terminal: Terminal, error: AmbiguousModelError, *, ask: bool) -> str:
    """The name of the model that a person chooses.

    Raises:
        AmbiguousModelError: nobody is to be asked, or can be, or none was chosen.
    """
    if not ask or not terminal.can_ask:
        raise error
    question = error.message.partition(":")[0]
    taken = which(terminal, question, [f"{name} ({format_bytes(size)})" for name, size in error.choices.items()])
    if taken is None:
        raise error
    return list(error.choices)[taken]
