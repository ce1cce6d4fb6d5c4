"""What a check finds in training data: kinds of findings, and a collection that stays small however many there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")
SHOWN: Final = 20
"""So many findings of each kind are printed."""
KEPT: Final = 10_000
"""So many of each kind are in ``--json``, however many there are."""

TITLES: Final = {
    "file": "the file as a whole",
    "encoding": "text that is not UTF-8",
    "byte_order_mark": "byte order mark",
    "line_ends": "line ends",
    "empty_line": "empty lines",
    "line_too_long": "lines that are too long",
    "json": "not JSON",
    "shape": "not an example",
    "unknown_key": "unknown keys",
    "repeated_key": "keys that are there twice",
    "role": "roles",
    "order": "order of the roles",
    "empty": "empty turns",
    "content": "content that is not text",
    "tools": "tool declarations",
    "tool_call": "tool calls",
    "tool_result": "tool results",
    "weight": "weights",
    "reasoning": "reasoning",
    "special_token": "special tokens of Phi's prompt formats in text",
    "surrogate": "characters that cannot be written as UTF-8",
    "secret": "texts that look like keys or passwords",
    "too_long": "more tokens than the context",
    "format": "what the prompt format cannot hold",
    "duplicate": "exact duplicates",
    "validation": "the same example in training and validation",
    "count": "number of examples",
    "size": "size of the file",
    "service": "what the service does not take",
    "left_out": "examples that were left out",
    "lost": "what the target cannot hold",
}
"""Kinds of findings, in the order in which they are printed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a line that has to be changed, or that a person should know.

    Attributes:
        severity: an ``error`` means that the data must not be used.
        kind: a key of :data:`TITLES`.
        file: the name of the file, as it was given.
        line: its number, from 1 on; 0 for the file as a whole.
        place: where in the example, such as ``messages[2].content``; empty for the line as a whole.
        message: what is wrong, and what to do, as a sentence without an end.
        column: the character of the line, from 1 on; 0 where there is none.
    """

    severity: Severity
    kind: str
    file: str
    line: int
    message: str
    place: str = ""
    column: int = 0

    @property
    def where(self) -> str:
        """The file, with the line where it is in one."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def to_data(self) -> dict[str, Any]:
        """The finding as ``--json`` shows it."""
        return {
            "severity": self.severity, "kind": self.kind, "file": self.file, "line": self.line, "column": self.column,
            "place": self.place, "message": self.message,
        }  # fmt: skip


class Findings:
    """A collection of findings; ``keep`` of each kind, all of them for None. All are counted, ``errors`` apart."""

    def __init__(self, keep: int | None = SHOWN) -> None:
        self._keep = keep
        self._kept: dict[tuple[Severity, str], list[Finding]] = {}
        self._counts: Counter[tuple[Severity, str]] = Counter()
        self.errors = 0
        self._bad_lines = 0
        self._last_bad = ("", 0)

    def add(self, finding: Finding) -> None:
        """Take one more."""
        key = finding.severity, finding.kind
        self._counts[key] += 1
        kept = self._kept.setdefault(key, [])
        if self._keep is None or len(kept) < self._keep:
            kept.append(finding)
        if finding.severity != "error":
            return
        self.errors += 1
        where = finding.file, finding.line
        if finding.line and where != self._last_bad:
            self._bad_lines += 1
            self._last_bad = where

    def count(self, severity: Severity) -> int:
        """How many there are, kept or not."""
        return sum(count for (of, _), count in self._counts.items() if of == severity)

    @property
    def bad_lines(self) -> int:
        """Lines with errors; one whose errors are found at different times may count twice."""
        return self._bad_lines

    def groups(self) -> list[tuple[Severity, str, int, list[Finding]]]:
        """Severity, kind, number and kept findings, errors first."""
        order = list(TITLES)
        keys = sorted(self._counts, key=lambda key: (SEVERITIES.index(key[0]), order.index(key[1])))
        return [(key[0], key[1], self._counts[key], self._kept[key]) for key in keys]

    def kept(self) -> list[Finding]:
        """All that were kept, by file and line."""
        found = [finding for kept in self._kept.values() for finding in kept]
        return sorted(found, key=lambda one: (one.file, one.line, SEVERITIES.index(one.severity), one.column))
