"""What a conversation needs of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from phicli.answering.types import Event
from phicli.errors import PhiError

Thinking = Literal["show", "hide"]
"""How the reasoning of an answer is shown: ``show`` all of it, or ``hide`` it behind one line."""


class ReplScreen(Protocol):
    """A terminal that lines are read from and answers are shown on.

    Attributes:
        stats: print the numbers of each answer after it.
        thinking: how reasoning is shown from now on.
    """

    stats: bool
    thinking: Thinking

    def read(self, text: str = "") -> str:
        """The next line a person types; ``text`` is there to be changed.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C.
        """

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        """The index of the choice that a person takes; None for none.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """

    def show(self, events: Iterator[Event]) -> None:
        """Show an answer as it comes; Ctrl-C passes through."""

    def tell(self, text: str) -> None:
        """Show lines that are not the model's."""

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard of the terminal.

        Raises:
            UsageError: the terminal has no clipboard that can be written.
        """

    def reveal(self, reasoning: str) -> None:
        """Show the reasoning of an answer that was shown before."""

    def fail(self, error: PhiError) -> None:
        """Show an error."""
