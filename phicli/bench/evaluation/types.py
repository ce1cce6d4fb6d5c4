"""Questions, replies and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol, Self, get_args

ReplyEnd = Literal["stop", "length", "context", "error"]
_ENDS: Final = get_args(ReplyEnd)


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
        """The verdict on the text of a reply; an empty one is wrong, whatever was asked."""
        text = text.strip()
        return self.rule.judge(text) if text else wrong("the reply is empty")

    def verdict_on(self, reply: Reply) -> Verdict:
        """The verdict on a reply; where there is none it says why, and does not count."""
        return wrong(reply.error) if reply.failed else self.judge(reply.text)


@dataclass(frozen=True, slots=True)
class ItemSet:
    """The questions of a file in their order; ``sha256`` is that of its bytes."""

    name: str
    items: tuple[Item, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said to one question.

    ``finish_reason`` is ``stop``, ``length`` (cut at the most tokens), ``context`` (the question did not fit) or
    ``error`` (the engine could not take it); with the last two there is no reply, and ``error`` says why. Times are in
    milliseconds: the engine's own for the prompt and the answer, and ``total_ms`` seen from outside.
    """

    text: str
    reasoning: str
    finish_reason: ReplyEnd
    prompt_tokens: int
    completion_tokens: int
    prompt_ms: float
    decode_ms: float
    total_ms: float
    error: str = ""

    @classmethod
    def none(cls, finish_reason: ReplyEnd, error: str, *, prompt_tokens: int = 0) -> Self:
        """What stands in the place of a reply that there is not."""
        return cls("", "", finish_reason, prompt_tokens, 0, 0.0, 0.0, 0.0, error)

    @property
    def failed(self) -> bool:
        """There is no reply, so it is neither right nor wrong."""
        return self.finish_reason in ("context", "error")

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        try:
            text, reasoning, reason = data["text"], data["reasoning"], data["finish_reason"]
            problem = data.get("error", "")
            counts = int(data["prompt_tokens"]), int(data["completion_tokens"])
            times = float(data["prompt_ms"]), float(data["decode_ms"]), float(data["total_ms"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"a saved reply: {error}") from error
        if not all(isinstance(one, str) for one in (text, reasoning, problem)) or reason not in _ENDS:
            raise ValueError("a saved reply has a wrong text or end")
        return cls(text, reasoning, reason, *counts, *times, problem)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply as it is saved.

    ``sitting`` counts the times the evaluation was started, from 1; ``elapsed_s`` is from the first question of that
    sitting to the end of this reply.
    """

    reply: Reply
    sitting: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One question with the reply and the verdict on it; a question that failed has none that counts."""

    item: Item
    reply: Reply
    verdict: Verdict

    @property
    def failed(self) -> bool:
        """There is no reply, so it is neither right nor wrong."""
        return self.reply.failed

    @property
    def wrong(self) -> bool:
        """There is a reply, and it is wrong."""
        return not (self.verdict.right or self.reply.failed)

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and ``--jsonl``."""
        return {
            "id": self.item.item_id,
            "compare": self.item.compare,
            "question": self.item.question,
            "expected": self.item.rule.expected,
            "right": None if self.failed else self.verdict.right,
            "reason": self.verdict.reason,
            **self.reply.to_data(),
        }
