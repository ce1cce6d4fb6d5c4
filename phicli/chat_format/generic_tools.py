"""Tools for models that were not trained to call them: a protocol in words, in any other prompt format.

The system message ends with this text and one line of JSON for each tool::

    You can call functions. To do so, reply with only this JSON: {"tool_calls": [{"name": …, "arguments": {…}}]}
    Without a need for a function, reply in plain text. The functions:

A call in the history is that JSON, as the text of the assistant; the results that follow it are one message of the
user, ``Result of get_weather: …``, a line for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from phicli.chat_format.types import AnswerParser, Message, PromptFormat, Segment

_HOW = (
    "You can call functions. To do so, reply with only this JSON: "
    '{"tool_calls": [{"name": "the name", "arguments": {"parameter": "value"}}]}\n'
    "Without a need for a function, reply in plain text. The functions:"
)


@dataclass(frozen=True, slots=True)
class GenericTools:
    """The format ``inner`` with tools, calls and results as text."""

    inner: PromptFormat

    @property
    def name(self) -> str:
        """That of the format inside."""
        return self.inner.name

    @property
    def stop_tokens(self) -> tuple[str, ...]:
        """Those of the format inside."""
        return self.inner.stop_tokens

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Those of the format inside."""
        return self.inner.stop_strings

    @property
    def visible_tokens(self) -> tuple[str, ...]:
        """Those of the format inside."""
        return self.inner.visible_tokens

    @property
    def before_answer(self) -> str:
        """That of the format inside."""
        return self.inner.before_answer

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Segments of the prompt; ``tools`` is a JSON array of declarations."""
        told = list(_as_text(messages))
        if tools is not None:
            if not told or told[0].role != "system":
                told.insert(0, Message("system", ""))
            lines = [json.dumps(tool, ensure_ascii=False) for tool in json.loads(tools)]
            how = "\n".join([_HOW, *lines])
            told[0] = replace(told[0], content=f"{told[0].content}\n\n{how}" if told[0].content else how)
        return self.inner.render(told)

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """The parser of the format inside, and tool calls taken out of its text."""
        parser: AnswerParser = self.inner.parser(inside_reasoning=inside_reasoning)
        if tools:
            parser.collect_calls()
        return parser


def _as_text(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages with calls and their results as text."""
    names: list[str] = []
    results: list[str] = []
    for message in messages:
        if message.role == "tool":
            results.append(f"Result of {names.pop(0)}: {message.content}" if names else f"Result: {message.content}")
            continue
        if results:
            yield Message("user", "\n".join(results))
            results = []
        names = [call.name for call in message.tool_calls]
        yield _called(message) if message.tool_calls else message
    if results:
        yield Message("user", "\n".join(results))


def _called(message: Message) -> Message:
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.tool_calls]
    text = json.dumps({"tool_calls": calls}, ensure_ascii=False)
    return Message(message.role, f"{message.content}\n{text}" if message.content else text)
