"""A group of commands that builds a command when it is needed."""

from __future__ import annotations

import builtins
import importlib
import keyword
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import typer
from typer.core import TyperGroup

from phicli.commands import ALIASES, GROUP_ALIASES, GROUPS, SUMMARIES, WITH_SETTINGS
from phicli.commands.command import Command
from phicli.commands.parameters import read_plainly
from phicli.commands.unknown import unknown_command


class LazyGroup(TyperGroup):
    """The commands of a table in :mod:`phicli.commands`, by name or alias: of ``phi``, or of the group ``within`` it.

    A command is the function of its own name in the module of its own name, with an underscore behind it where Python
    has that word already (``list_``, ``import_``).
    """

    within: str = ""

    @property
    def summaries(self) -> Mapping[str, str]:
        """Command to the first line of its help."""
        return GROUPS[self.within] if self.within else SUMMARIES

    def get_params(self, ctx: Any) -> list[Any]:
        """The options before the command, that of ``--help`` included."""
        return read_plainly(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the signature is Typer's)
        """Names of the commands in the order of the table."""
        return list(self.summaries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (the signature is Typer's)
        """The command of that name, None when there is none."""
        name = (GROUP_ALIASES if self.within else ALIASES).get(cmd_name, cmd_name)
        if name not in self.summaries:
            return None
        if name not in self.commands:
            self.commands[name] = _group(name) if not self.within and name in GROUPS else build(self.within, name)
        return self.commands[name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that ``args`` begin with, its name, and the rest.

        Raises:
            UsageError: there is none; the hint says what to type.
        """
        if ctx.resilient_parsing or self.get_command(ctx, args[0]) is not None:
            return super().resolve_command(ctx, args)
        raise unknown_command(args, self.within)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (the signature is Typer's)
        """Write the list of commands without building any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))


def build(within: str, name: str) -> Command:
    """The command ``name`` of ``phi``, or of the group ``within`` where that is not empty."""
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name, cls=Command, context_settings=context_settings())(function_of(within, name))
    command = cast("Command", typer.main.get_command(alone))
    setting = f"{within}.{name}".lstrip(".")
    if setting in WITH_SETTINGS:
        command.setting = setting
    return command


def every_command() -> Iterator[Command]:
    """All commands that take settings, in the order of the tables. This imports all of them."""
    for setting in WITH_SETTINGS:
        within, _, name = setting.rpartition(".")
        yield build(within, name)


def function_of(within: str, name: str) -> Callable[..., Any]:
    """The function behind the command ``name`` of ``phi``, or of the group ``within``."""
    taken = keyword.iskeyword(name) or hasattr(builtins, name)
    word = f"{name}_" if taken else name
    package = f"phicli.commands.{within}".rstrip(".")
    function: Callable[..., Any] = getattr(importlib.import_module(f"{package}.{word}"), word)
    return function


def _group(name: str) -> LazyGroup:
    app = typer.Typer(cls=LazyGroup, help=SUMMARIES[name], rich_markup_mode=None, add_completion=False)
    app.callback()(_nothing)
    group = cast("LazyGroup", typer.main.get_group(app))
    group.name = group.within = name
    group.context_settings = context_settings()
    return group


def context_settings() -> dict[str, Any]:
    """What Typer has to know for every command and group: how help is asked for, and how wide it is."""
    return {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _nothing() -> None:
    pass
