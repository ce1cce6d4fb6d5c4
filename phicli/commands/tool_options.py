"""Options of ``phi chat`` about tools that the model may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from phicli.commands.options import complete_values
from phicli.errors import UsageError

CHOICES: Final = ("auto", "none", "required")

Tools = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        help="File that declares tools: a JSON list, or a Python file with functions. Can be repeated.",
        show_default=False,
    ),
]
ToolChoice = Annotated[
    str | None,
    typer.Option(
        "--tool-choice",
        help="Which tools are called: auto, none, required (at least one) or the name of a tool [default: auto].",
        autocompletion=complete_values(*CHOICES),
        show_default=False,
    ),
]
ForceTools = Annotated[
    bool, typer.Option("--force-tools", help="Use tools also with a model that was not trained to call them.")
]


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """Which tools the model may call.

    Attributes:
        files: those that declare the tools.
        typed_choice: ``auto``, ``none``, ``required`` or the name of a tool; None where nothing was typed.
        force: use tools also with a model that was not trained to call them.

    Raises:
        UsageError: a name is empty, or an option is for tools, and there are none.
    """

    files: tuple[str, ...] = ()
    typed_choice: str | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if not all(self.files):
            raise UsageError("--tools is empty", "name a file that declares tools: --tools FILE")
        if not self.files and (self.typed_choice is not None or self.force):
            option = "--force-tools" if self.force else "--tool-choice"
            raise UsageError(f"{option} requires --tools", "name a file that declares tools: --tools FILE")

    @property
    def choice(self) -> str:
        """Which tools are called."""
        return "auto" if self.typed_choice is None else self.typed_choice


NO_TOOLS: Final = ToolOptions()
