"""An example of training data as the conversation that a prompt format renders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.chat_format.think_tags import CLOSE, OPEN
from phicli.chat_format.types import Message, Role, ToolCall
from phicli.tools.reading import tool_of
from phicli.tools.types import Tool
from phicli.training_data.decoding import value_of
from phicli.training_data.tool_shapes import declarations_in

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip
REASONING_KEYS: Final = ("thinking", "reasoning_content")
"""Keys of an answer under which its reasoning may stand."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of an example, and the tools that it declares."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()


def conversation_of(example: Mapping[str, Any]) -> Conversation:
    """The conversation in ``example``, in which the check has found no error."""
    given = messages_of(example)
    declared = [one["tools"] for one in (example, *given) if one.get("tools")]
    tools = tuple(tool_of(tool, "a tool") for list_ in declared for tool in declarations_in(list_))
    return Conversation(tuple(_message(one) for one in given), tools)


def messages_of(example: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The messages of ``example``; those of a prompt with its completion in a row."""
    if "messages" in example:
        found: Sequence[Mapping[str, Any]] = example["messages"]
        return found
    prompt, completion = example["prompt"], example["completion"]
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    return [*prompt, *completion]


def text_of_content(content: Any) -> str:
    """The text of a content: of a string, of parts, or of nothing."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


def with_reasoning(message: Mapping[str, Any]) -> str:
    """The text of an answer, with reasoning that stands under a key of its own between tags in front of it."""
    text = text_of_content(message.get("content"))
    reasoning = next((message[key] for key in REASONING_KEYS if message.get(key)), "")
    return f"{OPEN}\n{reasoning}\n{CLOSE}\n\n{text}" if reasoning else text


def calls_in(message: Mapping[str, Any]) -> Iterator[tuple[str | None, ToolCall]]:
    """The id and the call of each tool call of an answer, in whichever shape."""
    given = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        given.append(message["function_call"])
    for call in given:
        function = call.get("function", call)
        arguments = function.get("arguments") or {}
        if isinstance(arguments, str):
            arguments = value_of(arguments)
        yield call.get("id"), ToolCall(function["name"], arguments)


def _message(given: Mapping[str, Any]) -> Message:
    role = _ROLES[given["role"]]
    if role != "assistant":
        return Message(role, text_of_content(given.get("content")))
    return Message(role, with_reasoning(given), tuple(call for _, call in calls_in(given)))
