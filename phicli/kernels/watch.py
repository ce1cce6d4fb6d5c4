"""The interface of an observer of a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Watch(Protocol):
    """The messages of a running build."""

    def phase(self, text: str) -> None:
        """A phase begins; the same text again means that it continues."""

    def progress(self, done: int, total: int) -> None:
        """The number of finished steps in this phase, and of all its steps."""

    def notice(self, text: str) -> None:
        """A message for the person."""

    def log_end(self, lines: Sequence[str]) -> None:
        """The last lines of the log of a step that failed."""
