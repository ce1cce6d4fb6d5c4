"""The screen of a conversation: a line reader reads, an answer printer shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from phicli.answering.types import Answer, Event
from phicli.chat.screen import Thinking
from phicli.errors import PhiError, UserInterruptError
from phicli.ui.answer import AnswerPrinter
from phicli.ui.confirm import which
from phicli.ui.envelope import print_error
from phicli.ui.repl.clipboard import to_clipboard
from phicli.ui.repl.line_reader import LineReader
from phicli.ui.repl.meter import MeterFacts
from phicli.ui.repl.toolbar import Toolbar
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.wrapping import columns_of, hanging, wrapped

_AGAIN: Final = "run the command again"


class TerminalScreen:
    """A conversation in a terminal.

    Args:
        terminal: where to.
        status: the line that shows waiting.
        history_path: the file in which typed lines are saved; without it, or where it cannot be written, the history
            lasts as long as the conversation.
        quiet: no reasoning and no notices.
        plain: print answers as they are, without rendering their Markdown.
        stats: print the numbers of each answer.
        on_end: called with each answer when all of it is printed, and with whether its numbers are to be printed.
        names: the names of a kind (``model``, ``session``) that begin with a text.
        meter: what the line below the prompt shows; None for no such line.
        waiting: what the status line says until an answer begins; empty for nothing.

    ``stats`` and ``thinking`` can be changed between two answers: whether the reasoning of an answer stays on the
    screen, or only one line about it.
    """

    def __init__(
        self,
        terminal: Terminal,
        status: StatusLine,
        *,
        history_path: Path | None = None,
        quiet: bool = False,
        plain: bool = False,
        stats: bool = False,
        on_end: Callable[[Answer, bool], None] = lambda _answer, _stats: None,
        names: Callable[[str, str], Sequence[str]] = lambda _kind, _beginning: (),
        meter: Callable[[], MeterFacts] | None = None,
        waiting: Callable[[], str] = lambda: "",
    ) -> None:
        self._terminal = terminal
        self._status = status
        self._quiet = quiet
        self._plain = plain
        self.stats = stats
        self.thinking: Thinking = "hide"
        self._on_end, self._waiting = on_end, waiting
        self._clipboard_advice = ""
        toolbar = None if meter is None or quiet or terminal.dumb else Toolbar(terminal, meter)
        self._lines = LineReader(history_path, names, tell=self.tell, toolbar=toolbar, stdin=terminal.stdin)

    def prepare(self) -> None:
        """Import what reads lines. After a Ctrl-C in the middle of it, the process must end."""
        self._lines.prepare()

    def read(self, text: str = "") -> str:
        """The next line a person types; ``text`` is there to be changed."""
        self._status.clear()
        return self._lines.read(text)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        self._lines.close()

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        """The index of the choice that a person takes; None for none."""
        self._status.clear()
        try:
            return which(self._terminal, question, choices)
        except UserInterruptError:
            raise KeyboardInterrupt from None

    def show(self, events: Iterator[Event]) -> None:
        """Show an answer as it comes."""
        printer = AnswerPrinter(
            self._terminal, self._status, quiet=self._quiet, plain=self._plain, thinking=self.thinking,
            waiting=self._waiting(), on_end=lambda answer: self._on_end(answer, self.stats),
        )  # fmt: skip
        try:
            printer.show(events)
        except KeyboardInterrupt:
            self._lines.interrupted()
            raise

    def reveal(self, reasoning: str) -> None:
        """Show the reasoning of an earlier answer."""
        width = columns_of(self._terminal.stderr)
        lines = reasoning.strip("\n").splitlines()
        shown = lines if width is None else [wrapped(line, width, indent=0) for line in lines]
        self._terminal.whisper("\n".join(shown) + "\n")

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard of the terminal; a note about tmux or GNU Screen is printed once."""
        advice = to_clipboard(self._terminal, text, os.environ)
        if advice != self._clipboard_advice:
            self._clipboard_advice = advice
            self.tell(f"note: {advice}")

    def tell(self, text: str) -> None:
        """Show lines that are not the model's, wrapped at words."""
        self._status.clear()
        lines = [_within(line, columns_of(self._terminal.stderr)) for line in text.splitlines()]
        self._terminal.whisper("\n".join(lines) + "\n")

    def fail(self, error: PhiError) -> None:
        """Show an error."""
        self._status.clear()
        if error.hint.startswith(_AGAIN):  # there is a shorter way here
            error.hint = "to ask again: /retry"
        print_error(self._terminal, "chat", error, as_json=False)


def _within(line: str, width: int | None) -> str:
    """``line`` wrapped at words; the other lines begin below its last column."""
    return line if width is None else wrapped(line, width, indent=hanging(line, width))
