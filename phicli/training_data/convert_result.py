"""What came of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phicli.training_data.findings import Findings


@dataclass(frozen=True, slots=True)
class Converted:
    """Examples that were written.

    Attributes:
        source: the format that was read.
        target: the format that was written.
        output: the file; None for standard output.
        examples: how many were written.
        left_out: how many could not be.
        findings: what was lost, by line.
    """

    source: str
    target: str
    output: str | None
    examples: int
    left_out: int
    findings: Findings

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        return {
            "from": self.source, "to": self.target, "output": self.output, "examples": self.examples,
            "left_out": self.left_out, "findings": [one.to_data() for one in self.findings.kept()],
        }  # fmt: skip
