"""Draws the meter below the prompt."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from phicli.ui.repl.meter import MeterFacts, meter
from phicli.ui.terminal import Terminal, one_line
from phicli.ui.wrapping import columns_of

_AGAIN_S: Final = 0.5
_USUAL_COLUMNS: Final = 80


class Toolbar:
    """The text of prompt_toolkit's bottom toolbar, called whenever it is drawn.

    Args:
        terminal: where it is drawn.
        read: what the meter shows.
    """

    def __init__(self, terminal: Terminal, read: Callable[[], MeterFacts]) -> None:
        self._terminal = terminal
        self._read = read
        self._drawn_again_at = 0.0

    def __call__(self) -> str:
        """The meter, as wide as the terminal is now; while the model loads it is drawn again soon."""
        facts = self._read()
        if facts.loading:
            self._draw_again()
        return one_line(meter(facts, columns_of(self._terminal.stdout) or _USUAL_COLUMNS))

    def _draw_again(self) -> None:
        from prompt_toolkit.application import get_app_or_none

        app, now = get_app_or_none(), time.monotonic()
        if app is not None and app.loop is not None and now >= self._drawn_again_at:
            self._drawn_again_at = now + _AGAIN_S
            app.loop.call_later(_AGAIN_S, app.invalidate)
