"""A group of commands that builds a command when it is needed."""

from __future__ import annotations

import builtins
import importlib
import keyword
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from phicli.commands import ALIASES, CACHE_SUMMARIES, RUNS_SUMMARIES, SUMMARIES
from phicli.commands.parameters import PlainCommand, read_plainly


class LazyGroup(TyperGroup):
    """The commands of the table in :mod:`phicli.commands`, by name or alias.

    A command is the function of its own name in the module of its own name, with an underscore behind it where Python
    has that word already (``list_``, ``import_``).
    """

    package: ClassVar[str] = "phicli.commands"
    summaries: ClassVar[Mapping[str, str]] = SUMMARIES
    aliases: ClassVar[Mapping[str, str]] = ALIASES

    def get_params(self, ctx: Any) -> list[Any]:
        """The options before the command, that of ``--help`` included."""
        return read_plainly(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the signature is Typer's)
        """Names of the commands in the order of the table."""
        return list(self.summaries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (the signature is Typer's)
        """The command of that name, None when there is none."""
        name = self.aliases.get(cmd_name, cmd_name)
        if name not in self.summaries:
            return None
        if name not in self.commands:
            self.commands[name] = self._build(name)
        return self.commands[name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (the signature is Typer's)
        """Write the list of commands without building any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))

    def _build(self, name: str) -> Any:
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        if (self.package, name) in GROUPS:
            group = GROUPS[self.package, name]
            app = typer.Typer(cls=group, help=self.summaries[name], rich_markup_mode=None, add_completion=False)
            app.callback()(_nothing)
            built = typer.main.get_group(app)
            built.name = name
            built.context_settings = dict(settings)
            return built
        function = function_of(self.package, name)
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        alone.command(name, cls=PlainCommand, context_settings=settings)(function)
        return typer.main.get_command(alone)


class CacheGroup(LazyGroup):
    """The commands of ``phi cache``."""

    package: ClassVar[str] = "phicli.commands.cache"
    summaries: ClassVar[Mapping[str, str]] = CACHE_SUMMARIES
    aliases: ClassVar[Mapping[str, str]] = {"ls": "list"}


class RunsGroup(LazyGroup):
    """The commands of ``phi runs``."""

    package: ClassVar[str] = "phicli.commands.runs"
    summaries: ClassVar[Mapping[str, str]] = RUNS_SUMMARIES
    aliases: ClassVar[Mapping[str, str]] = {"ls": "list"}


GROUPS: dict[tuple[str, str], type[LazyGroup]] = {
    ("phicli.commands", "cache"): CacheGroup,
    ("phicli.commands", "runs"): RunsGroup,
}


def function_of(package: str, name: str) -> Callable[..., Any]:
    """The function behind the command ``name`` of the commands in ``package``."""
    taken = keyword.iskeyword(name) or hasattr(builtins, name)
    word = f"{name}_" if taken else name
    function: Callable[..., Any] = getattr(importlib.import_module(f"{package}.{word}"), word)
    return function


def _nothing() -> None:
    pass
