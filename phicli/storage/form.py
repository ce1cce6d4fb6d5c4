"""What a SQLite file of ``phi`` is: its name for people, its table, and the steps that lead to its newest format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of file.

    Attributes:
        name: what it is called in messages: ``the history``.
        starts_anew: what follows when it is set aside: ``the next run starts a new history``.
        table: the table by which it is recognized; every format has it.
        steps: the statements of each step: step 1 makes format 1 of an empty file, step 2 makes format 2 of format 1, …
        private: only its owner may read it, and the folder that is made for it.
    """

    name: str
    starts_anew: str
    table: str
    steps: tuple[tuple[str, ...], ...]
    private: bool = False

    @property
    def version(self) -> int:
        """The newest format."""
        return len(self.steps)
