"""The option that chooses a profile of the settings: before the command, and behind it."""

from __future__ import annotations

import copy
from typing import Annotated, Any, Final

import typer

from phicli.commands.parameters import read_plainly

PROFILE: Final = "profile"
"""The name of the option's parameter."""


def complete_profile(incomplete: str) -> list[str]:
    """Profiles that begin with ``incomplete``; none where the settings cannot be read."""
    from phicli.errors import PhiError
    from phicli.settings.file import read_settings

    try:
        return [name for name in read_settings().profiles() if name.startswith(incomplete)]
    except PhiError:
        return []


Profile = Annotated[
    str | None,
    typer.Option("--profile", help="Use this settings profile.", autocompletion=complete_profile),
]


def remember_profile(ctx: Any, _: Any, name: str | None) -> None:
    """Remember the profile that was typed behind the command."""
    if name is not None:
        ctx.meta[PROFILE] = name


def typed_profile(ctx: Any) -> str | None:
    """The name of the profile that was typed, behind the command or before it; None when none was."""
    found: str | None = ctx.meta.get(PROFILE, ctx.find_root().params.get(PROFILE))
    return found


def option_behind(ctx: Any) -> list[Any]:
    """``--profile`` behind the command, where people type it too; the help has it before the command only."""
    before = [parameter for parameter in ctx.find_root().command.params if parameter.name == PROFILE]
    for option in (behind := [copy.copy(one) for one in before]):
        option.is_eager, option.expose_value, option.hidden, option.callback = True, False, True, remember_profile
        vars(option).pop("process_value", None)
    return read_plainly(behind)
