"""What came of a check."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from phicli.training_data.findings import Findings

_BARS: Final = 12


@dataclass(slots=True)
class FileFacts:
    """What a file has; it grows while the file is read."""

    name: str
    lines: int = 0
    examples: int = 0
    bytes: int = 0
    answers: int = 0
    windows_lines: int = 0

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        return {
            "path": self.name, "lines": self.lines, "examples": self.examples, "size_bytes": self.bytes,
            "answers": self.answers,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of the examples of a file, as one model reads them."""

    model: str
    format: str
    context_tokens: int
    counts: array[int]
    took_s: float

    @property
    def total(self) -> int:
        """Tokens of all examples."""
        return sum(self.counts)

    @property
    def per_second(self) -> float:
        """How fast they were counted."""
        return self.total / max(self.took_s, 1e-9)

    @property
    def over(self) -> int:
        """Examples that exceed the context."""
        return sum(count > self.context_tokens for count in self.counts)

    def quantile(self, share: float) -> int:
        """The smallest number that at least this ``share`` of the examples does not exceed."""
        ordered = sorted(self.counts)
        return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]

    def histogram(self) -> list[tuple[int, int, int]]:
        """Least tokens, most tokens and number of examples of each of at most twelve ranges of the same width."""
        low, high = min(self.counts), max(self.counts)
        width = max(1, -(-(high - low + 1) // _BARS))
        ranges = [0] * (-(-(high - low + 1) // width))
        for count in self.counts:
            ranges[(count - low) // width] += 1
        return [(low + n * width, min(high, low + (n + 1) * width - 1), many) for n, many in enumerate(ranges)]

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        known = {
            "min": min(self.counts), "median": self.quantile(0.5), "p95": self.quantile(0.95), "max": max(self.counts),
            "histogram": [{"from": low, "to": high, "examples": many} for low, high, many in self.histogram()],
        }  # fmt: skip
        return {
            "model": self.model, "prompt_format": self.format, "context_tokens": self.context_tokens,
            "total": self.total, "over_context": self.over, **known,
            "counted_s": round(self.took_s, 3), "counted_tps": round(self.per_second, 1),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """A check of a training file, and of a validation file where there is one.

    Attributes:
        service: the name of the service that the data is for; empty for none.
        files: the training file first.
        findings: what was found.
        tokens: those of the training file; None where no model was named, or no example could be counted.
        took_s: seconds for everything, counting tokens included.
        interrupted: whether a person stopped it: the rest of the files was not read.
    """

    service: str
    files: Sequence[FileFacts]
    findings: Findings
    tokens: Tokens | None = None
    took_s: float = field(default=0.0)
    interrupted: bool = False

    @property
    def usable(self) -> bool:
        """Whether all was read, and there is no error."""
        return not self.interrupted and not self.findings.count("error")

    def first_errors(self, most: int) -> str:
        """At most so many of its errors, each with its line; with that of its file where there are two."""
        errors = [one for one in self.findings.kept() if one.severity == "error"][:most]
        if len(self.files) > 1:
            return "; ".join(f"{one.where}: {one.message}" for one in errors)
        return "; ".join(f"line {one.line}: {one.message}" if one.line else one.message for one in errors)

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        groups = self.findings.groups()
        return {
            "for": self.service or None, "usable": self.usable, "files": [one.to_data() for one in self.files],
            "errors": self.findings.count("error"), "warnings": self.findings.count("warning"),
            "counts": [{"severity": level, "kind": kind, "count": many} for level, kind, many, _ in groups],
            "findings": [one.to_data() for one in self.findings.kept()],
            "tokens": None if self.tokens is None else self.tokens.to_data(),
            "took_s": round(self.took_s, 3), "interrupted": self.interrupted,
        }  # fmt: skip
