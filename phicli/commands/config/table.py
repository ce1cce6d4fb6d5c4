"""The table of all settings, made from the commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import typer

from phicli.commands import SHARED_SETTINGS
from phicli.commands.command import Command
from phicli.commands.group import every_command
from phicli.commands.keys import TYPED_EACH_TIME, taken
from phicli.errors import NotFoundError, UsageError
from phicli.settings.file import did_you_mean
from phicli.settings.key import Key


@dataclass(frozen=True, slots=True)
class Option:
    """An option that a setting gives: the command, and what Typer made of its signature."""

    command: Command
    parameter: Any

    def read(self, value: Any, *, from_file: bool) -> Any:
        """The value that the command gets for ``value``.

        Raises:
            UsageError: it does not take it. The message completes the sentence that begins with the value.
        """
        ctx = typer.Context(self.command)
        return taken(self.parameter, value, lambda typed: self.parameter.process_value(ctx, typed), from_file=from_file)


@dataclass(frozen=True, slots=True)
class Setting:
    """A key and the options that it gives: one, or those of several commands for a shared key."""

    key: Key
    options: tuple[Option, ...]

    @property
    def flag(self) -> str:
        """How it is typed: ``--max-tokens``, ``--quality/--no-quality``, ``MODEL``."""
        parameter = self.options[0].parameter
        if parameter.param_type_name == "argument":
            return self.key.name.upper()
        return "/".join(names[0] for names in (parameter.opts, parameter.secondary_opts) if names)

    @property
    def default(self) -> Any:
        """What holds when it is not set; None where the command or the model decides."""
        return None if self.key.name in SHARED_SETTINGS else self.options[0].parameter.default

    @property
    def help(self) -> str:
        """What it does, in one line."""
        return SHARED_SETTINGS.get(self.key.name) or " ".join((self.options[0].parameter.help or "").split())

    def read(self, value: Any, *, from_file: bool) -> Any:
        """The value for the first of its commands that takes ``value``.

        Raises:
            UsageError: none takes it. The message completes the sentence that begins with the value.
        """
        refused: list[UsageError] = []
        for option in self.options:
            try:
                return option.read(value, from_file=from_file)
            except UsageError as error:
                refused.append(error)
        raise refused[0]

    def refusals(self, value: Any) -> Iterator[tuple[str, UsageError]]:
        """The commands that do not take a ``value`` of the file, and why."""
        for option in self.options:
            try:
                option.read(value, from_file=True)
            except UsageError as error:
                yield option.command.setting, error


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
        raise NotFoundError(f"there is no setting {name!r}", f"--{last.replace('_', '-')} is typed each time")
    same = [key for key in all_settings() if key.rpartition(".")[2] == name]
    meant = f"did you mean {' or '.join(same[:3])}?" if same else did_you_mean(name, all_settings())
    raise NotFoundError(f"there is no setting {name!r}", f"{meant} Every key: phi config list --all".lstrip())
