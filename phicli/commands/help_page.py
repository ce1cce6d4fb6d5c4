"""The help page of a command, as ``--help`` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phicli.commands.group import LazyGroup
from phicli.commands.unknown import unknown_command
from phicli.errors import UsageError


def help_page(ctx: Any, words: Sequence[str]) -> tuple[str, str]:
    """The command's full name (``phi cache list``) and its page.

    Args:
        ctx: what Typer knows of this run.
        words: the command, such as ``cache list``; none for ``phi`` itself.

    Raises:
        UsageError: there is no such command.
    """
    here = ctx.find_root()
    for place, word in enumerate(words):
        if not isinstance(here.command, LazyGroup):
            raise UsageError(
                f"{here.command_path} has no subcommands, but {word!r} follows", f"see phi help {words[0]}"
            )
        command = here.command.get_command(here, word)
        if command is None:
            raise unknown_command(words[place:], here.command.within)
        here = command.make_context(word, [], parent=here, resilient_parsing=True)
    return here.command_path, here.get_help()
