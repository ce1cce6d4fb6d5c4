"""The test of a remote, and what is said before it."""

from __future__ import annotations

from phicli.errors import UserInterruptError
from phicli.remotes.checking import Checked, check
from phicli.remotes.first_use import notice
from phicli.remotes.known import require
from phicli.remotes.naming import checked_model
from phicli.ui.terminal import Terminal


def test_remote(terminal: Terminal, name: str, model: str | None, *, as_json: bool) -> Checked:
    """What a test of the remote called ``name`` finds; ``NAME/MODEL`` names both.

    Raises:
        PhiError: as for :func:`~phicli.remotes.checking.check`.
    """
    name, slash, rest = name.partition("/")
    model = rest if slash and model is None else model
    remote = require(name)
    wanted = checked_model(remote, model) if model is not None else ""
    if wanted and not as_json and (words := notice(remote)):
        terminal.say(words)
    try:
        return check(remote, wanted)
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted") from None
