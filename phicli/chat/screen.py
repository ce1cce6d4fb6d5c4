"""What a conversation needs of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from phicli.answering.types import Event
from phicli.errors import PhiError


class ReplScreen(Protocol):
    """A terminal that lines are read from and answers are shown on."""

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

    def fail(self, error: PhiError) -> None:
        """Show an error."""
