"""A status line for what takes longer than half a second."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from rich.status import Status
    from rich.text import Text

    from phicli.engine.read_ahead import ReadSoFar

_DELAY_S = 0.5
_LONGEST_NAME = 32


class StatusLine:
    """One line on standard error that says what is going on and disappears; nothing outside a terminal.

    Rich is imported when the line first shows: by then there is time. It shows after ``delay_s`` seconds.
    """

    def __init__(self, terminal: Terminal, *, enabled: bool = True, delay_s: float = _DELAY_S) -> None:
        self._terminal = terminal
        self._delay_s = delay_s
        self._enabled = enabled and terminal.shows_progress
        self._waiting_since: float | None = None
        self._status: Status | None = None
        self._away = False

    def update(self, text: str) -> None:
        """Show ``text`` if the wait has lasted long enough."""
        if not self._enabled or self._away:
            return
        now = monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        if self._status is not None:
            self._status.update(_plain(text))
        elif now - self._waiting_since >= self._delay_s:
            self._show(text)

    def clear(self, *, away: bool = False) -> None:
        """Remove the line; the next ``update`` begins a new wait.

        Where it stays ``away`` until it is cleared again, the cursor is behind text that it would overwrite.
        """
        self._waiting_since, self._away = None, away
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show(self, text: str) -> None:
        from rich.console import Console
        from rich.status import Status

        console = Console(file=self._terminal.stderr, no_color=not self._terminal.colour, highlight=False)
        self._status = Status(_plain(text), console=console, spinner="dots" if self._terminal.colour else "line")
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
