"""The reasoning of an answer on standard error: all of it, or on a terminal one line that moves and then says so."""

from __future__ import annotations

import contextlib
from time import monotonic
from typing import Final, Literal

from phicli.ui.terminal import Terminal, one_line
from phicli.ui.wrapping import StreamWrap, cells, columns_of, wrapped
from phicli.units import counted, format_rate

Thinking = Literal["show", "hide"]
"""What happens to reasoning on a terminal: it stays there, or it is folded to one line."""

_REDRAWN_EVERY_S: Final = 0.1


class ThinkingPrinter:
    """Prints the reasoning of one answer.

    Args:
        terminal: where to.
        thinking: ``show`` prints all of it. ``hide`` shows the end of it in a line that disappears, and then prints a
            line that says how long it was; where standard error is not a terminal, it does as ``show``.
        quiet: print nothing.
    """

    def __init__(self, terminal: Terminal, *, thinking: Thinking, quiet: bool) -> None:
        self._terminal = terminal
        self._folds = thinking == "hide" and terminal.shows_progress
        self._quiet = quiet
        self._line = _MovingLine(terminal)
        self._wrap = StreamWrap(terminal.stderr)
        self._text = ""
        self._since: float | None = None
        self._tokens = self._tokens_before = 0

    def begin(self) -> None:
        """Something is generated that may be reasoning: from now on the seconds count."""
        if self._since is None:
            self._since = monotonic()

    def count(self, tokens: int) -> None:
        """All reasoning of the answer has so many tokens by now."""
        self.begin()
        self._tokens = tokens

    def feed(self, text: str, *, alone: bool) -> None:
        """Print more reasoning; ``alone`` where nothing else was printed in this line."""
        self.begin()
        if self._quiet:
            return
        self._text += text
        if not self._folds:
            if ready := self._wrap.feed(text):
                self._terminal.whisper(ready)
        elif alone:
            self._line.show(self._text)

    def pause(self) -> None:
        """Something else is printed in between, in lines of its own."""
        if self._folds:
            self._line.clear()
        else:
            self._end_line()

    def end(self) -> None:
        """The reasoning has ended; the next thing that is printed begins a line."""
        if self._text and self._folds:
            self._line.clear()
            self._fold()
        else:
            self._end_line()
        self._text, self._since, self._tokens_before = "", None, self._tokens

    def _end_line(self) -> None:
        if rest := self._wrap.finish():
            self._terminal.whisper(rest)
        if self._text and not self._text.endswith("\n"):
            self._terminal.say("")
        self._text = ""

    def _fold(self) -> None:
        """Say how long the reasoning was."""
        seconds = 0.0 if self._since is None else monotonic() - self._since
        tokens = self._tokens - self._tokens_before
        length = f", {counted(tokens, 'token')}" if tokens else ""
        text = f"thought for {format_rate(seconds)} s{length}; /think show prints it"
        width = columns_of(self._terminal.stderr)
        self._terminal.whisper((text if width is None else wrapped(text, width)) + "\n")


class _MovingLine:
    """The end of a text in one dim line, for terminals that can erase it.

    The cursor stays at the beginning of the line. So where a narrower terminal breaks the line into several, all of
    them are erased, and nothing above. The line does not wrap: a terminal may already be narrower than it says.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._drawn_at: float | None = None

    def show(self, text: str) -> None:
        """Show the end of ``text``, now and then."""
        now = monotonic()
        width = columns_of(self._terminal.stderr) if self._terminal.colour else None
        if width is None or (self._drawn_at is not None and now - self._drawn_at < _REDRAWN_EVERY_S):
            return
        self._drawn_at = now
        self._write(f"\r\x1b[J\x1b[?7l\x1b[2m{tail_of(text, width - 1)}\x1b[22m\x1b[?7h\r")

    def clear(self) -> None:
        """Erase the line."""
        if self._drawn_at is not None:
            self._drawn_at = None
            self._write("\r\x1b[J")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._terminal.stderr.write(text)
            self._terminal.stderr.flush()


def tail_of(text: str, columns: int) -> str:
    """The end of ``text`` as one line of at most ``columns``."""
    line = " ".join(one_line(text[-4 * columns :]).split()) if columns > 0 else ""
    while line and cells(line) > columns:
        line = line[max((cells(line) - columns) // 2, 1) :]
    return line.lstrip()
