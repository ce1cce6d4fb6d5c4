"""A setting: its key, and the options of commands that it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from phicli.commands import SHARED_SETTINGS
from phicli.commands.command import Command
from phicli.commands.keys import MODEL, taken
from phicli.errors import PhiError, UsageError
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
        """What it does, in one line; for a shared one with the commands that have it."""
        if shared := SHARED_SETTINGS.get(self.key.name):
            return f"{shared} For: {', '.join(option.command.setting for option in self.options)}."
        return " ".join((self.options[0].parameter.help or "").split())

    def read(self, value: Any, *, from_file: bool) -> Any:
        """The value for the first of its commands that takes ``value``.

        Raises:
            UsageError: none takes it. The message completes the sentence that begins with the value.
        """
        if self.key.name == MODEL:
            _check_model(value)
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


def _check_model(value: Any) -> None:
    """Return if the commands can use ``value``, unless it is not even a text, which the options refuse."""
    from phicli.commands.locating import check_usable

    if isinstance(value, str):
        try:
            check_usable(value)
        except PhiError as error:
            raise UsageError(f"is not valid: {error.message}", error.hint_for("config set model")) from None
