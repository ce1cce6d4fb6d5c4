"""The bar of a download; imported when it shows, because it needs Rich."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from phicli.ui.terminal import Terminal
from phicli.units import format_bytes

_OTHERS_WIDTH: Final = 62
"""Columns of everything but the bar; one is left free, because a terminal writes ^C behind the line."""


class _DoneColumn(ProgressColumn):
    """Bytes there, of all."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        return Text(f"{format_bytes(int(task.completed))} of {format_bytes(int(task.total or 0))}", no_wrap=True)


class _RateColumn(ProgressColumn):
    """Bytes per second that arrive now."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        return Text(f"{format_bytes(int(task.speed))}/s" if task.speed else "", no_wrap=True)


def download_bar(terminal: Terminal) -> Progress:
    """A bar on standard error that is removed when it stops; its width follows that of the terminal."""
    console = Console(file=terminal.stderr, no_color=not terminal.colour, highlight=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=max(4, min(40, console.width - _OTHERS_WIDTH))),
        TaskProgressColumn(),
        _DoneColumn(),
        _RateColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
