"""What holds for the options that were not typed, during one run of ``phi``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from phicli.commands.any_setting import something_is_set
from phicli.commands.keys import taken
from phicli.commands.profile import typed_profile
from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.settings.file import SettingsFile, read_settings
from phicli.settings.key import Key, variable_of
from phicli.settings.lookup import Source, about, find

_SETTINGS: Final = "phicli.settings"
_WITHOUT_QUOTES: Final = ("engine", "llama_server")


class Configured:
    """The settings of the command that runs.

    Args:
        file: the settings.
        profile: the name of the profile, empty for none.
        keys: the parameters of the command that a setting can give, with their keys.
    """

    def __init__(self, file: SettingsFile, profile: str, keys: Mapping[str, Key]) -> None:
        self._file = file
        self._profile = profile
        self._keys = keys
        self._used: dict[str, tuple[Any, Source]] = {}

    def find(self, name: str) -> Source | None:
        """What is set for the parameter called ``name``, None where nothing is."""
        return find(self._keys[name], self._file, self._profile) if name in self._keys else None

    def accept(self, parameter: Any, source: Source, read: Callable[[Any], Any]) -> Any:
        """The value of ``parameter`` that ``source`` gives; ``read`` makes it of what would be typed.

        Raises:
            UsageError: the parameter does not take it; names the line of the file or the variable.
        """
        try:
            value = taken(parameter, source.value, read, from_file=not source.variable)
        except UsageError as error:
            raise about(self._file, source, f" {error.message}", error) from None
        self._used[parameter.name] = (parameter, source)
        return value

    def explain(self, error: PhiError) -> PhiError:
        """``error`` of a command, which names the setting where it is about a value that was not typed."""
        for parameter, source in self._used.values():
            if _is_about(error, parameter, source):
                return about(self._file, source, f": {error.message}", error)
        return error


def configured(ctx: Any, command: str, keys: Mapping[str, Key]) -> Configured:
    """The settings of the command of ``ctx``, read when they are asked for first.

    Args:
        ctx: what Typer knows of this run.
        command: such as ``chat`` or ``cache.verify``.
        keys: the parameters that a setting can give, with their keys.

    Raises:
        UsageError: the file cannot be read, or has a key for this command that means nothing.
        NotFoundError: there is no such profile.
    """
    if _SETTINGS not in ctx.meta:
        ctx.meta[_SETTINGS] = Configured(*_checked(chosen_profile(ctx), command, keys), keys)
    found: Configured = ctx.meta[_SETTINGS]
    return found


def _is_about(error: PhiError, parameter: Any, source: Source) -> bool:
    """Whether ``error`` names the option, or quotes the value that was set for it."""
    if not isinstance(error, UsageError) and type(error) is not NotFoundError:
        return False
    names = [re.escape(option) for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
    named = "|".join([*names, *_quoted(parameter, source)])
    return re.search(rf"(?<![\w-])(?:{named})(?![\w-])", error.message) is not None


def _quoted(parameter: Any, source: Source) -> list[str]:
    """The value as messages have it: engines are called by their names, everything else is in quotes."""
    text = str(source.value)
    return [*map(re.escape, text.split(",") if parameter.name in _WITHOUT_QUOTES else [repr(text)])]


def _checked(profile: str, command: str, keys: Mapping[str, Key]) -> tuple[SettingsFile, str]:
    """The file and the profile, in which no key means nothing."""
    file = read_settings()
    file.require_profile(profile)
    if not file.tables:
        return file, profile
    from phicli.commands.known_keys import unknown_keys

    options = {command: {key.name.rpartition(".")[2] for key in keys.values()}}
    for table in dict.fromkeys((profile, "")):
        for error in unknown_keys(file, table, options):
            raise error
    return file, profile


def value_set(ctx: Any, name: str) -> str | None:
    """What is set for the parameter called ``name`` of the command that runs, whatever was typed for it.

    None where nothing is set.
    """
    if not something_is_set(ctx):
        return None
    settings = ctx.command.configured(ctx)
    if (source := settings.find(name)) is None:
        return None
    parameter = next(one for one in ctx.command.params if one.name == name)
    return str(settings.accept(parameter, source, str))


def chosen_profile(ctx: Any) -> str:
    """The name of the profile: typed behind the command, typed before it, or of the variable; empty without one."""
    typed = typed_profile(ctx)
    return os.environ.get(variable_of("profile"), "") if typed is None else typed
