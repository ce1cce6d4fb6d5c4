"""Questions from training data: the conversation in front of an answer, and the answer that is expected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.bench.evaluation.json_rule import same
from phicli.bench.evaluation.overlap import token_f1
from phicli.bench.evaluation.rules import normalised, shortened
from phicli.bench.evaluation.types import RIGHT, Reply, Verdict, wrong
from phicli.chat_format.reasoning import without_reasoning
from phicli.chat_format.types import Message, ToolCall
from phicli.tools.types import Tool

COMPARE: Final = "messages"
"""How such questions are compared, as a word."""

_USUAL_TOKENS: Final = 64


@dataclass(frozen=True, slots=True)
class TalkRule:
    """A conversation with the answer that is expected; a :class:`~phicli.bench.evaluation.types.Talk`.

    The reply is right if it has the same text, compared as ``exact`` compares it, and the same tool calls in the same
    order, with arguments that are equal as ``json`` compares them. Reasoning does not count, on neither side. ``line``
    is that of the example.
    """

    before: tuple[Message, ...]
    answer: Message
    tools: tuple[Tool, ...]
    line: int

    @property
    def expected(self) -> str:
        """The answer, without its reasoning."""
        return said(without_reasoning(self.answer.content), self.answer.tool_calls)

    @property
    def least_tokens(self) -> int:
        """A limit of tokens that the expected answer does not reach, even where a token has two bytes only."""
        return len(said(self.answer.content, self.answer.tool_calls).encode(errors="replace")) // 2 + _USUAL_TOKENS

    @property
    def size_bytes(self) -> int:
        """Bytes of all texts in front of the answer, and of the declared tools."""
        texts = [said(message.content, message.tool_calls) for message in self.before]
        texts += [f"{tool.name}{tool.description}{json.dumps(dict(tool.parameters))}" for tool in self.tools]
        return sum(len(text.encode(errors="replace")) for text in texts)

    def shown(self, question: str) -> str:
        """The question as it is."""
        return question

    def judge(self, text: str) -> Verdict:
        """The verdict on a reply without tool calls."""
        return self._verdict(text, ())

    def verdict_on(self, reply: Reply) -> Verdict:
        """The verdict on a reply."""
        return self._verdict(reply.text, reply.calls)

    def f1(self, reply: Reply) -> float:
        """What the words of the reply and those of the answer have in common; calls count as words too."""
        return token_f1(said(without_reasoning(reply.text), reply.calls), self.expected)

    def _verdict(self, text: str, calls: Sequence[ToolCall]) -> Verdict:
        text, wanted = without_reasoning(text), without_reasoning(self.answer.content)
        if not text.strip() and not calls:
            return wrong("the reply is empty")
        if normalised(text) == normalised(wanted) and same(_plain(calls), _plain(self.answer.tool_calls)):
            return RIGHT
        return wrong(f"the reply is {shortened(said(text, calls))}, not {shortened(self.expected)}")


def said(text: str, calls: Sequence[ToolCall]) -> str:
    """A text and the tool calls behind it, each as a JSON object of its name and arguments."""
    written = [json.dumps({call.name: dict(call.arguments)}, ensure_ascii=False) for call in calls]
    return "\n".join([*([text.strip()] if text.strip() else []), *written])


def _plain(calls: Sequence[ToolCall]) -> list[list[Any]]:
    return [[call.name, dict(call.arguments)] for call in calls]
