"""Changes of the file: the value that is written, and what a person has to know about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from phicli.commands.config.setting import Setting
from phicli.commands.config.table import setting_named
from phicli.commands.config.target import Target
from phicli.commands.keys import MODEL, takes_several
from phicli.errors import UsageError
from phicli.paths import is_there, settings_file
from phicli.settings.key import variable_of
from phicli.settings.lines import toml, written
from phicli.settings.listing import Change
from phicli.settings.writing import remove_key, set_value


def set_setting(wanted: Target, values: Sequence[str]) -> Change:
    """Write what was typed into the file.

    Raises:
        NotFoundError: there is no such setting.
        UsageError: the setting does not take it, or the file cannot be changed.
        PhiError, OSError: the file cannot be written.
    """
    setting = setting_named(wanted.name)
    value = _value(setting, values)
    set_value(settings_file(), wanted.path, value)
    return Change(settings_file(), written(wanted.path), value, tuple(_notes(setting, value)))


def unset_setting(wanted: Target) -> Change:
    """Remove a key, or a whole table, from the file; it need not be the key of a setting.

    Raises:
        NotFoundError: it is not in the file.
        UsageError, PhiError, OSError: the file cannot be changed.
    """
    value = remove_key(settings_file(), wanted.path)
    return Change(settings_file(), written(wanted.path), value, ())


def _value(setting: Setting, typed: Sequence[str]) -> Any:
    """What the file gets for what was typed."""
    several = takes_several(setting.options[0].parameter) and len(setting.options) == 1
    if len(typed) > 1 and not several:
        raise UsageError(
            f"{setting.key.name} takes one value, but {len(typed)} were given",
            f"quote it: phi config set {setting.key.name} '{' '.join(typed)}'",
        )
    try:
        value = setting.read(list(typed) if several else typed[0], from_file=False)
    except UsageError as error:
        error.message = f"{setting.key.name} = {toml(typed[0])} {error.message}"
        error.hint = error.hint or f"set a valid value; its meaning: {setting.help}"
        raise
    if several:
        return list(typed)
    return typed[0] if isinstance(value, PurePath | list) else value


def _notes(setting: Setting, value: Any) -> Iterator[str]:
    variable = variable_of(setting.key.name)
    if found := os.environ.get(variable):
        yield f"{variable}={found} is set and overrides the settings file"
    if setting.key.name == MODEL and str(value).lower().endswith(".gguf") and not is_there(str(value)):
        yield f"there is no file {value} yet"
    for command, error in setting.refusals(value):
        yield f"phi {command.replace('.', ' ')} does not accept it: {toml(value)} {error.message}"
