"""Reads the plain values of a command line without pydantic, which Typer loads for every value that it converts.

Loading it takes longer than most commands do. What is absent, a text, or a plain number within its limits needs no
validator; everything else is left to Typer, and with it every message about what makes no sense.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import typer
from typer.core import TyperCommand

from phicli.commands.configured import Configured, configured, remember_profile
from phicli.commands.keys import keys_of
from phicli.commands.profile import Profile
from phicli.errors import PhiError
from phicli.settings.lookup import Key, Source, variable_of

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)
_LEFT: Final = object()


class PlainCommand(TyperCommand):
    """A command whose options have their values from the command line, else from the settings, else their defaults.

    Its parameters ask pydantic only where they must. ``setting`` is what its settings begin with (``chat``,
    ``cache.verify``), empty for a command that takes none.
    """

    setting: str = ""
    _keys: dict[str, Key] | None = None

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, those of ``--profile`` and ``--help`` included."""
        parameters = read_plainly([_profile_option(), *super().get_params(ctx)])
        for parameter in parameters:
            key = self.keys(ctx).get(parameter.name)
            if key is not None and "consume_value" not in vars(parameter):
                parameter.consume_value = self._consumer(parameter, parameter.consume_value)
                parameter.envvar = variable_of(key.shared) if key.shared else parameter.envvar  # for the help
        return parameters

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line and the settings."""
        left: list[str] = super().parse_args(ctx, args)
        if self.setting and not ctx.resilient_parsing:
            self.configured(ctx)
        return left

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error about a setting names the line or the variable."""
        try:
            return super().invoke(ctx)
        except PhiError as error:
            if self.setting:
                self.configured(ctx).explain(error)
            raise

    def keys(self, ctx: Any) -> dict[str, Key]:
        """The parameters that a setting can give, with their keys."""
        if self._keys is None:
            self._keys = keys_of(self.setting, super().get_params(ctx)) if self.setting else {}
        return self._keys

    def configured(self, ctx: Any) -> Configured:
        """What holds for the options that were not typed, read when it is asked for first.

        Raises:
            UsageError: the file cannot be read, or has a key for this command that means nothing.
            NotFoundError: there is no such profile.
        """
        return configured(ctx, self.setting, self.keys)

    def _consumer(self, parameter: Any, by_typer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def consume_value(ctx: Any, typed: Any) -> Any:
            """The value as typed, or the :class:`Source` of a setting; and what Typer calls the source of it.

            That is the command line for what was typed, and never for a setting.
            """
            value, source = by_typer(ctx, typed)
            if typed.get(parameter.name) is not None or ctx.resilient_parsing:
                return value, source
            return self.configured(ctx).find(parameter.name) or value, source

        return consume_value


def read_plainly(parameters: Sequence[Any]) -> list[Any]:
    """``parameters``, as Typer built them, which from now on do not ask pydantic for plain values."""
    for parameter in parameters:
        if "process_value" not in vars(parameter):
            parameter.process_value = _reader(parameter, parameter.process_value)
    return list(parameters)


def _reader(parameter: Any, by_typer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def process_value(ctx: Any, value: Any) -> Any:
        if isinstance(value, Source):
            return ctx.command.configured(ctx).accept(parameter, value, lambda typed: process_value(ctx, typed))
        plain = _plain(value, parameter)
        if plain is _LEFT or (parameter.required and parameter.value_is_missing(plain)):
            return by_typer(ctx, value)
        return plain if parameter.callback is None else parameter.callback(ctx, parameter, plain)

    return process_value


@cache
def _profile_option() -> Any:
    """``--profile`` behind a command, where people type it too; the help has it before the command only."""

    def command(profile: Profile = None) -> None: ...

    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command()(command)
    option: Any = typer.main.get_command(app).params[0]
    option.is_eager, option.expose_value, option.hidden = True, False, True
    option.callback = lambda ctx, _, name: remember_profile(ctx, name)
    return option


def _plain(value: Any, parameter: Any) -> Any:
    """What Typer would make of ``value``; ``_LEFT`` where that takes more than a look at it."""
    info = parameter.type_descriptor.parameter_info
    if info.parser is not None or info.clamp:
        return _LEFT
    if value is None:
        return _LEFT if parameter.multiple or parameter.nargs == -1 else None
    if parameter.type_descriptor.annotation == list[str] and isinstance(value, list | tuple) and value:
        texts = [_text(item) for item in value]
        return _LEFT if _LEFT in texts else texts
    kind = parameter.type_descriptor.annotation
    if kind is str:
        return _text(value)
    return _number(value, kind, info.min, info.max) if kind in (int, float) else _LEFT


def _text(value: Any) -> Any:
    """The text, unless it has bytes that were no UTF-8, which Typer refuses."""
    if not isinstance(value, str):
        return _LEFT
    return value if value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value) else _LEFT


def _number(value: Any, kind: type[Any], least: float | None, most: float | None) -> Any:
    """The number, unless it is written in another way or beyond its limits."""
    if isinstance(value, str) and (_WHOLE if kind is int else _DECIMAL).fullmatch(value):
        value = kind(value)
    if type(value) is not kind or not (least is None or least <= value) or not (most is None or value <= most):
        return _LEFT
    return value
