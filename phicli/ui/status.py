"""A status line for what takes longer than half a second."""

from __future__ import annotations

import threading
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from phicli.ui.terminal import Terminal
from phicli.ui.wrapping import columns_of

if TYPE_CHECKING:
    from rich.status import Status
    from rich.text import Text

    from phicli.engine.read_ahead import ReadSoFar

_DELAY_S = 0.5
_LONGEST_NAME = 32
_USUAL_COLUMNS = 80
_SPINNER_COLUMNS = 3
"""What stands in front of the text; the last column stays free, because terminals wrap behind it."""


class StatusLine:
    """One line on standard error that says what is going on and disappears; nothing outside a terminal.

    Rich is imported when the line first shows: by then there is time. It shows after ``delay_s`` seconds, also where
    nothing more is said until then.
    """

    def __init__(self, terminal: Terminal, *, enabled: bool = True, delay_s: float = _DELAY_S) -> None:
        self._terminal = terminal
        self._delay_s = delay_s
        self._enabled = enabled and terminal.shows_progress and not terminal.dumb
        self._waiting_since: float | None = None
        self._status: Status | None = None
        self._away = False
        self._text = ""
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None

    @property
    def columns(self) -> int:
        """The columns that a text may have to stay on one line."""
        return (columns_of(self._terminal.stderr) or _USUAL_COLUMNS) - _SPINNER_COLUMNS

    def update(self, text: str) -> None:
        """Show ``text`` if the wait has lasted long enough."""
        if not self._enabled or self._away:
            return
        with self._lock:
            now, self._text = monotonic(), text
            if self._waiting_since is None:
                self._waiting_since = now
            if self._status is not None:
                self._status.update(_plain(text))
            elif now - self._waiting_since >= self._delay_s:
                self._show()
            elif self._timer is None:
                self._show_later()

    def clear(self, *, away: bool = False) -> None:
        """Remove the line; the next ``update`` begins a new wait.

        Where it stays ``away`` until it is cleared again, the cursor is behind text that it would overwrite.
        """
        with self._lock:
            self._waiting_since, self._away = None, away
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._status is not None:
                self._status.stop()
                self._status = None

    def _show_later(self) -> None:
        def show() -> None:
            with self._lock:
                if self._timer is timer and self._status is None:  # else it was cleared in between
                    self._show()

        self._timer = timer = threading.Timer(self._delay_s, show)
        timer.daemon = True
        timer.start()

    def _show(self) -> None:
        from rich.console import Console
        from rich.status import Status

        console = Console(file=self._terminal.stderr, no_color=not self._terminal.colour, highlight=False)
        self._status = Status(_plain(self._text), console=console, spinner="dots" if self._terminal.colour else "line")
        self._status.start()

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


def loading_says(name: str, waited_s: float, read: ReadSoFar) -> str:
    """The line about a model that loads: how far it is read where it comes from the disk, else the seconds waited."""
    if not read.disk_bytes or read.done_bytes == read.total_bytes:
        return f"loading {name}: {waited_s:.0f} s"
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    far = f"{read.done_bytes / 1e9:.1f} of {read.total_bytes / 1e9:.1f} GB"
    return f"reading {short} from disk: {far}, {rate_of(read)}"


def rate_of(read: ReadSoFar) -> str:
    """How fast the disk was, in MB/s (10^6 bytes)."""
    return f"{read.disk_bytes / max(read.disk_s, 1e-3) / 1e6:,.0f} MB/s"


def _plain(text: str) -> Text:
    """Text in which brackets are brackets: a file may be called ``models[old]``."""
    from rich.text import Text

    return Text(text)
