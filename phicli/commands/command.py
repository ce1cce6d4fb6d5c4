"""A command whose options come from the command line, else from the settings, else from their defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phicli.commands.any_setting import something_is_set
from phicli.commands.kernels_notice import say_kernels
from phicli.commands.misspelled import say_misspelled
from phicli.commands.parameters import PlainCommand
from phicli.commands.profile import option_behind
from phicli.errors import PhiError

if TYPE_CHECKING:
    from phicli.commands.configured import Configured
    from phicli.settings.key import Key


class Command(PlainCommand):
    """A command of ``phi``.

    ``setting`` is what its settings begin with (``chat``, ``cache.verify``), empty for a command that takes none.
    Settings are read when the first option needs one: not for ``--help``, not for a completion.
    """

    setting: str = ""
    _keys: Mapping[str, Key] | None = None
    _profile: list[Any] | None = None

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, those of ``--profile`` and ``--help`` included."""
        parameters = super().get_params(ctx)
        for name, key in self.keys(ctx).items():
            parameter = next(one for one in parameters if one.name == name)
            if "consume_value" not in vars(parameter):
                self._let_settings_give(parameter, key)
        if self._profile is None:
            self._profile = option_behind(ctx)
        return [*self._profile, *parameters]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line and the settings."""
        left: list[str] = super().parse_args(ctx, args)
        if self.setting and not ctx.resilient_parsing and something_is_set(ctx):
            self.configured(ctx)
        return left

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error about a setting names the line or the variable."""
        quiet = ctx.params.get("quiet")
        if not quiet:
            say_misspelled(os.environ, ctx.find_root().command)
            say_kernels(self.name)
        try:
            return super().invoke(ctx)
        except PhiError as error:
            if self.setting and something_is_set(ctx):
                self.configured(ctx).explain(error)
            raise
        finally:
            if not quiet:
                say_kernels(self.name)

    def keys(self, ctx: Any) -> Mapping[str, Key]:
        """The parameters that a setting can give, with their keys."""
        if self._keys is None:
            from phicli.commands.keys import keys_of

            self._keys = keys_of(self.setting, super().get_params(ctx)) if self.setting else {}
        return self._keys

    def configured(self, ctx: Any) -> Configured:
        """What holds for the options that were not typed.

        Raises:
            UsageError: the file cannot be read, or has a key for this command that means nothing.
            NotFoundError: there is no such profile.
        """
        from phicli.commands.configured import configured

        return configured(ctx, self.setting, self.keys(ctx))

    def _let_settings_give(self, parameter: Any, key: Key) -> None:
        """Give ``parameter`` the value of its setting where it was not typed.

        What Typer calls the source of a value stays the command line for what was typed, and is never that for a
        setting.
        """
        from phicli.settings.key import variable_of

        consume, process = parameter.consume_value, parameter.process_value

        def consume_value(ctx: Any, typed: Any) -> Any:
            value, source = consume(ctx, typed)
            if typed.get(parameter.name) is not None or ctx.resilient_parsing or not something_is_set(ctx):
                return value, source
            return self.configured(ctx).find(parameter.name) or value, source

        def process_value(ctx: Any, value: Any) -> Any:
            if not something_is_set(ctx):
                return process(ctx, value)
            from phicli.settings.lookup import Source

            if isinstance(value, Source):
                return self.configured(ctx).accept(parameter, value, lambda plain: process(ctx, plain))
            return process(ctx, value)

        parameter.consume_value, parameter.process_value = consume_value, process_value
        if key.shared:
            parameter.envvar = variable_of(key.shared)  # the help shows it
