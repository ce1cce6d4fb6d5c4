"""The interface for progress reports of a long job."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Receives what is being done: a line on a terminal, or nothing."""

    def show(self, text: str, left_s: float | None = None, *, at_most: bool = False) -> None:
        """What is being done now, and for how many seconds more (with ``at_most``, the most that it can take)."""

    def say(self, text: str) -> None:
        """A notice that stays; nothing with ``--quiet``."""

    def warn(self, text: str) -> None:
        """A warning that stays, with ``--quiet`` too."""
