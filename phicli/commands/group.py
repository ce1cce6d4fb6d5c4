"""A group of commands that builds a command when it is needed."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from phicli.commands import ALIASES, SUMMARIES


class LazyGroup(TyperGroup):
    """The commands of the table in :mod:`phicli.commands`, by name or alias."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the signature is Typer's)
        """Names of the commands in the order of the table."""
        return list(SUMMARIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (the signature is Typer's)
        """The command of that name, None when there is none."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in SUMMARIES:
            return None
        if name not in self.commands:
            function = getattr(importlib.import_module(f"phicli.commands.{name}"), name)
            alone = typer.Typer(rich_markup_mode=None, add_completion=False)
            alone.command(name, context_settings={"help_option_names": ["-h", "--help"]})(function)
            self.commands[name] = typer.main.get_command(alone)
        return self.commands[name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (the signature is Typer's)
        """Write the list of commands without building any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))
