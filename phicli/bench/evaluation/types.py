"""Questions, replies and verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol, Self, get_args

from phicli.bench.evaluation.expected import Expected
from phicli.chat_format.types import Message, ToolCall
from phicli.tools.types import Tool

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


class Talk(Rule, Protocol):
    """The rule of a question from training data: a conversation with the answer that is expected."""

    @property
    def before(self) -> tuple[Message, ...]:
        """The conversation in front of the answer."""

    @property
    def answer(self) -> Message:
        """The expected answer."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Those that the model is told of."""

    @property
    def line(self) -> int:
        """The line of the example, from 1."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all texts in front of the answer, and of the declared tools."""

    def verdict_on(self, reply: Reply) -> Verdict:
        """The verdict on a reply, its tool calls included."""

    def f1(self, reply: Reply) -> float:
        """What the words of the reply and of the answer have in common, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question; ``max_tokens`` is None where the line leaves it to the command.

    ``talk`` is the rule of a question from training data, and None for others. For these, ``max_tokens`` is what the
    reply may have at least.
    """

    item_id: str
    question: str
    compare: str
    rule: Rule
    system: str | None = None
    max_tokens: int | None = None
    talk: Talk | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all texts that the model is asked with."""
        if self.talk is not None:
            return self.talk.size_bytes
        return len(self.prompt.encode()) + len((self.system or "").encode())

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
        if reply.failed:
            return wrong(reply.error)
        return self.judge(reply.text) if self.talk is None else self.talk.verdict_on(reply)


@dataclass(frozen=True, slots=True)
class ItemSet:
    """The questions of a file in their order; ``sha256`` is that of its bytes.

    ``total`` is the most questions that the file may have: ``items`` may be only the first of them.
    """

    name: str
    items: tuple[Item, ...]
    sha256: str
    total: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said to one question.

    ``finish_reason`` is ``stop``, ``length`` (cut at the most tokens), ``context`` (the question did not fit) or
    ``error`` (the engine could not take it); with the last two there is no reply, and ``error`` says why. Times are in
    milliseconds: the engine's own for the prompt and the answer, and ``total_ms`` seen from outside. Each of the
    ``tool_calls`` has ``name`` and ``arguments``.
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
    tool_calls: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def none(cls, finish_reason: ReplyEnd, error: str, *, prompt_tokens: int = 0) -> Self:
        """What stands in the place of a reply that there is not."""
        return cls("", "", finish_reason, prompt_tokens, 0, 0.0, 0.0, 0.0, error)

    @property
    def failed(self) -> bool:
        """There is no reply, so it is neither right nor wrong."""
        return self.finish_reason in ("context", "error")

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls."""
        return tuple(ToolCall(call["name"], call["arguments"]) for call in self.tool_calls)

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
            calls = tuple({"name": str(one["name"]), "arguments": dict(one["arguments"])} for one in
                          data.get("tool_calls", ()))  # fmt: skip
            counts = int(data["prompt_tokens"]), int(data["completion_tokens"])
            times = float(data["prompt_ms"]), float(data["decode_ms"]), float(data["total_ms"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"a saved reply: {error}") from error
        if not all(isinstance(one, str) for one in (text, reasoning, problem)) or reason not in _ENDS:
            raise ValueError("a saved reply has a wrong text or end")
        if not all(map(math.isfinite, times)):
            raise ValueError("a saved reply has a wrong time")
        return cls(text, reasoning, reason, *counts, *times, problem, calls)


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
    """One question with the reply and the verdict on it; a question that failed has none that counts.

    ``expected`` is how probable the expected answer is; None where that was not measured.
    """

    item: Item
    reply: Reply
    verdict: Verdict
    expected: Expected | None = None

    @property
    def f1(self) -> float | None:
        """The words that the reply and the expected answer have in common; None for other kinds of questions."""
        return None if self.item.talk is None or self.failed else self.item.talk.f1(self.reply)

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
            "f1": self.f1,
            **(self.expected.to_data() if self.expected else {}),
            **self.reply.to_data(),
        }
