"""How a batch went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that failed: its line in the input, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What there is now, and what this run of the command has done.

    Attributes:
        out: the output.
        journal: where the results are saved.
        model: what answered.
        rows: of the input.
        answered: of these, so far.
        failed: the others that have a result.
        broken: how many of those cannot be asked, however often.
        asked: how many were asked by this run.
        cut_off: how many of its answers reached the limit of tokens.
        prompt_tokens: of its answers.
        cached_tokens: of these, those that were evaluated before.
        completion_tokens: of its answers.
        elapsed_s: from its first question.
        workers: how many rows each worker of this run has answered.
        failures: the first ones.
        some_too_short: the limit of tokens ended an answer before it had its form.
        has_responses: the output has responses to the requests of an OpenAI batch file.
    """

    out: Path
    journal: Path
    model: str
    rows: int
    answered: int
    failed: int
    broken: int = 0
    asked: int = 0
    cut_off: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    elapsed_s: float = 0.0
    workers: Mapping[str, int] | None = None
    failures: tuple[Failure, ...] = ()
    some_too_short: bool = False
    has_responses: bool = False

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` has it."""
        return {
            "out": str(self.out),
            "journal": str(self.journal),
            "model": self.model,
            "lines": self.rows,
            "answered": self.answered,
            "failed": self.failed,
            "broken": self.broken,
            "asked": self.asked,
            "cut_off": self.cut_off,
            "usage": {
                "prompt_tokens": self.prompt_tokens,
                "cached_tokens": self.cached_tokens,
                "completion_tokens": self.completion_tokens,
            },
            "elapsed_s": round(self.elapsed_s, 3),
            "workers": dict(self.workers or {}),
            "failures": [{"line": one.line, "reason": one.reason} for one in self.failures],
        }
