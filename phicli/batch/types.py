"""What a batch is made of: rows in, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

InputFormat = Literal["jsonl", "csv", "tsv", "lines", "openai"]
"""JSON lines, tables with commas or tabs, a prompt per line, requests of OpenAI's batch files."""

INPUT_FORMATS: Final[tuple[InputFormat, ...]] = get_args(InputFormat)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the input, or one record of a table.

    Attributes:
        number: from 0, empty lines not counted.
        line: where it begins in the file, from 1.
        fields: its keys, or its columns.
        problem: what is wrong with it; empty where nothing is. ``fields`` then are what could be read of a table.
    """

    number: int
    line: int
    fields: Mapping[str, Any]
    problem: str = ""

    def name(self, key: str = "id") -> str | int | float:
        """Its id: the value of ``key``, else the number of its line, which is also that of a row with a problem."""
        value = None if self.problem else self.fields.get(key)
        return self.line if value is None or value == "" else value
