"""``phi config get``."""

from __future__ import annotations

import typer

from phicli.commands.config.target import Key
from phicli.commands.options import Json


def get(ctx: typer.Context, key: Key, as_json: Json = False) -> None:
    """Print the current value of a setting."""
    from phicli.commands.config.effective_value import row_of
    from phicli.commands.config.table import setting_named
    from phicli.commands.config.target import target
    from phicli.commands.configured import chosen_profile
    from phicli.settings.file import read_settings
    from phicli.ui.settings import print_row
    from phicli.ui.terminal import Terminal

    wanted = target(ctx, key)
    setting, file = setting_named(wanted.name), read_settings()
    profile = wanted.profile or chosen_profile(ctx)
    file.require_profile(profile)
    print_row(Terminal.current(), row_of(setting, file, profile), as_json=as_json)
