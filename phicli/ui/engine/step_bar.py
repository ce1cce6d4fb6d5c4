"""The progress bar of a build; imported only when it is shown, because it needs Rich."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from phicli.ui.terminal import Terminal

_OTHERS_WIDTH: Final = 52
"""Columns of everything but the bar; one is left free, because a terminal writes ^C behind the line."""


def step_bar(terminal: Terminal) -> Progress:
    """A bar of steps on standard error that is removed when it stops; its width follows that of the terminal."""
    console = Console(file=terminal.stderr, no_color=not terminal.colour, highlight=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=max(4, min(40, console.width - _OTHERS_WIDTH))),
        MofNCompleteColumn(separator=" of "),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
        transient=True,
    )
