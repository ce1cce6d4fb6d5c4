"""The interface of an observer of a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Watch(Protocol):
    """What a build reports while it runs."""

    def phase(self, text: str) -> None:
        """What begins now; the same text again: it goes on."""

    def progress(self, done: int, total: int) -> None:
        """So many of all steps of this phase are done."""

    def notice(self, text: str) -> None:
        """Something that a person should know."""

    def log_end(self, lines: Sequence[str]) -> None:
        """The last lines of the log of a step that failed."""
