"""The table of all settings, made from the commands."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import typer

from phicli.commands import SHARED_SETTINGS
from phicli.commands.config.setting import Option, Setting
from phicli.commands.group import every_command
from phicli.commands.keys import TYPED_EACH_TIME
from phicli.errors import NotFoundError
from phicli.settings.file import did_you_mean
from phicli.settings.key import Key


@cache
def all_settings() -> dict[str, Setting]:
    """Key to setting: the shared ones first, then those of each command in the order of its help."""
    own: dict[str, Setting] = {}
    shared: dict[str, Setting] = {}
    for command in every_command():
        ctx = typer.Context(command)
        parameters = {parameter.name: parameter for parameter in command.get_params(ctx)}
        for name, key in command.keys(ctx).items():
            setting = Setting(key, (Option(command, parameters[name]),))
            if key.name not in SHARED_SETTINGS:
                own[key.name] = setting
            if (common := key.shared or key.name) in SHARED_SETTINGS:
                before = shared.get(common)
                options = (*before.options, *setting.options) if before else setting.options
                shared[common] = replace(setting, key=Key(common), options=options)
    return {name: shared[name] for name in SHARED_SETTINGS} | own


def options_of_commands() -> dict[str, list[str]]:
    """Command (``chat``, ``cache.verify``) to the names of its settings."""
    names: dict[str, list[str]] = {command.setting: [] for command in every_command()}
    for key in all_settings():
        command, _, name = key.rpartition(".")
        if command:
            names[command].append(name)
    return names


def setting_named(name: str) -> Setting:
    """The setting with that key.

    Raises:
        NotFoundError: there is none; the hint names the closest one.
    """
    if (setting := all_settings().get(name)) is not None:
        return setting
    last = name.rpartition(".")[2].replace("-", "_")
    if last in TYPED_EACH_TIME:
        raise NotFoundError(
            f"unknown setting: {name!r}", f"--{last.replace('_', '-')} can be given only on the command line"
        )
    same = [key for key in all_settings() if key.rpartition(".")[2] == name]
    meant = f"did you mean {' or '.join(same[:3])}?" if same else did_you_mean(name, all_settings())
    raise NotFoundError(f"unknown setting: {name!r}", f"{meant} See all settings: phi config list --all".lstrip())
