"""Questions, replies and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, Self

FinishReason = Literal["stop", "length", "context"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a reply is right; ``reason`` says why it is not, and is empty when it is."""

    right: bool
    reason: str = ""


RIGHT = Verdict(right=True)


def wrong(reason: str) -> Verdict:
    """The verdict on a reply that is not right."""
    return Verdict(right=False, reason=reason)


class Rule(Protocol):
    """How the replies to one question are judged."""

    @property
    def expected(self) -> str:
        """What a right reply has, for people."""

    def shown(self, question: str) -> str:
        """The question as it is asked."""

    def judge(self, text: str) -> Verdict:
        """The verdict on a reply without white space around it; never raises."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question; ``max_tokens`` is None where the line leaves it to the command."""

    item_id: str
    question: str
    compare: str
    rule: Rule
    system: str | None = None
    max_tokens: int | None = None

    @property
    def prompt(self) -> str:
        """What the model is asked."""
        return self.rule.shown(self.question)

    def judge(self, text: str) -> Verdict:
        """The verdict on a reply; an empty one is wrong, whatever was asked."""
        text = text.strip()
        return self.rule.judge(text) if text else wrong("the reply is empty")


@dataclass(frozen=True, slots=True)
class ItemSet:
    """The questions of a file in their order; ``sha256`` is that of its bytes."""

    name: str
    items: tuple[Item, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said to one question.

    ``finish_reason`` is ``stop``, ``length`` (cut at the most tokens) or ``context`` (the question did not fit). Times
    are in milliseconds: the engine's own for the prompt and the answer, and ``total_ms`` seen from outside.
    """

    text: str
    reasoning: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    prompt_ms: float
    decode_ms: float
    total_ms: float

    def to_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        try:
            text, reasoning, reason = data["text"], data["reasoning"], data["finish_reason"]
            counts = int(data["prompt_tokens"]), int(data["completion_tokens"])
            times = float(data["prompt_ms"]), float(data["decode_ms"]), float(data["total_ms"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"a reply that was kept: {error}") from error
        if not isinstance(text, str) or not isinstance(reasoning, str) or reason not in ("stop", "length", "context"):
            raise ValueError("a reply that was kept has a text or an end that is none")
        return cls(text, reasoning, reason, *counts, *times)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply as it is kept.

    ``sitting`` counts the times the evaluation was started, from 1; ``elapsed_s`` is from the first question of that
    sitting to the end of this reply.
    """

    item_id: str
    reply: Reply
    sitting: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One question with the reply and the verdict on it."""

    item: Item
    reply: Reply
    verdict: Verdict

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` and ``--jsonl`` have it."""
        return {
            "id": self.item.item_id,
            "compare": self.item.compare,
            "question": self.item.question,
            "expected": self.item.rule.expected,
            "right": self.verdict.right,
            "reason": self.verdict.reason,
            **self.reply.to_data(),
        }


Ask = Callable[[Item], Reply]
"""Asks a model one question, in a conversation of its own; may be called from several threads at once."""
