"""Examples with messages in the formats that others take, and what is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from phicli.training_data.conversation import (
    REASONING_KEYS,
    calls_in,
    conversation_of,
    messages_of,
    text_of_content,
    with_reasoning,
)

_CONVERSATION: Final = frozenset({"messages", "tools", "functions", "prompt", "completion"})
"""Keys of an example that are read."""
_OF_A_MESSAGE: Final = frozenset({
    "role", "content", "name", "weight", "refusal", "tools", "tool_calls", "tool_call_id", "function_call",
    *REASONING_KEYS,
})  # fmt: skip
"""Keys of a message that are read, or whose loss is reported where it matters."""

Lost = Callable[[str, str], None]
"""Takes the place and the description of what the target cannot hold."""


class CannotHoldError(ValueError):
    """The target has no place for an example; the text says for what."""


def to_messages(example: Mapping[str, Any], lost: Lost) -> Iterator[dict[str, Any]]:
    """The example as it is."""
    del lost
    yield dict(example)


def to_openai(example: Mapping[str, Any], lost: Lost) -> Iterator[dict[str, Any]]:
    """Messages in OpenAI's shapes: calls with ids, tools beside the messages, no reasoning under keys of its own."""
    ids = _Ids()
    messages = [ids.message(one, f"messages[{n}]", lost) for n, one in enumerate(messages_of(example))]
    kept = {key: example[key] for key in ("parallel_tool_calls",) if key in example}
    _lose_keys(example, lost, kept)
    yield {"messages": messages, **_tools(example), **kept}


def to_trl(example: Mapping[str, Any], lost: Lost) -> Iterator[dict[str, Any]]:
    """A prompt and a completion for each answer that is trained on: TRL trains on all of ``messages``.

    Reasoning goes between tags into the content, because Phi's chat template leaves other keys out.
    """
    given = messages_of(example)
    _lose_keys(example, lost)
    messages = [_for_template(one, f"messages[{n}]", lost) for n, one in enumerate(given)]
    for at, one in enumerate(given):
        if one["role"] == "assistant" and one.get("weight") != 0:
            yield {"prompt": messages[:at], "completion": [messages[at]], **_tools(example)}


def to_sharegpt(example: Mapping[str, Any], lost: Lost) -> Iterator[dict[str, Any]]:
    """Turns with ``from`` and ``value``."""
    turns: list[dict[str, str]] = []
    system = ""
    _lose_keys(example, lost)
    for number, one in enumerate(messages_of(example)):
        _lose_extras(one, f"messages[{number}]", lost)
        role, text = one["role"], with_reasoning(one)
        calls = [{"name": call.name, "arguments": dict(call.arguments)} for _, call in calls_in(one)]
        if role in ("system", "developer"):
            system = text
        elif calls:
            if text.strip():
                lost(f"messages[{number}].content", "the text next to a tool call")
            value = calls[0] if len(calls) == 1 else calls
            turns.append({"from": "function_call", "value": json.dumps(value, ensure_ascii=False)})
        else:
            speaker = {"user": "human", "assistant": "gpt"}.get(role, "observation")
            turns.append({"from": speaker, "value": text})
    tools = [one["function"] for one in _tools(example).get("tools", ())]
    declared = {"tools": json.dumps(tools, ensure_ascii=False)} if tools else {}
    yield {"conversations": turns, **({"system": system} if system else {}), **declared}


def to_alpaca(example: Mapping[str, Any], lost: Lost) -> Iterator[dict[str, Any]]:
    """An instruction and its output; the turns before are ``history``.

    Raises:
        CannotHoldError: it has tools.
    """
    system, turns = _plain_turns(example, lost)
    history = [list(turn) for turn in turns[:-1]]
    known = {**({"system": system} if system else {}), **({"history": history} if history else {})}
    yield {"instruction": turns[-1][0], "input": "", "output": turns[-1][1], **known}


def to_csv(example: Mapping[str, Any], lost: Lost) -> Iterator[dict[str, Any]]:
    """One question and its answer, for the columns system, user and assistant.

    Raises:
        CannotHoldError: it has tools, or several turns.
    """
    system, turns = _plain_turns(example, lost)
    if len(turns) > 1:
        raise CannotHoldError(f"{len(turns)} turns: a row of a table holds one")
    yield {"system": system, "user": turns[0][0], "assistant": turns[0][1]}


WRITERS: Final[Mapping[str, Callable[[Mapping[str, Any], Lost], Iterator[dict[str, Any]]]]] = {
    "messages": to_messages,
    "openai": to_openai,
    "azure": to_openai,
    "trl": to_trl,
    "sharegpt": to_sharegpt,
    "alpaca": to_alpaca,
    "csv": to_csv,
}
"""Target to what makes its examples of one."""


class _Ids:
    """Gives calls without an id one, and their results the same."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[str] = []

    def message(self, given: Mapping[str, Any], place: str, lost: Lost) -> dict[str, Any]:
        role = "tool" if given["role"] == "function" else given["role"]
        kept = {key: given[key] for key in ("name", "weight", "refusal") if key in given}
        made: dict[str, Any] = {"role": role, "content": given.get("content") or ""}
        for key in REASONING_KEYS:
            if given.get(key):
                lost(f"{place}.{key}", "reasoning")
        _lose_unknown(given, place, lost)
        if calls := self._calls(given):
            made["tool_calls"] = calls
        if role == "tool":
            known = given.get("tool_call_id") or (self._waiting[0] if self._waiting else "call_0")
            self._waiting = [one for one in self._waiting if one != known]
            made["tool_call_id"] = known
        return {**made, **kept}

    def _calls(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        calls = []
        for known, call in calls_in(given):
            self._count += 1
            function = {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)}
            calls.append({"id": known or f"call_{self._count}", "type": "function", "function": function})
        if calls:
            self._waiting = [str(call["id"]) for call in calls]
        return calls


def _tools(example: Mapping[str, Any]) -> dict[str, Any]:
    """The tools of an example as OpenAI declares them, wherever they stood."""
    tools = conversation_of(example).tools
    if not tools:
        return {}
    given = example.get("tools")
    if isinstance(given, list) and all(isinstance(one, Mapping) and "function" in one for one in given):
        return {"tools": given}
    declared = [
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)} for tool in tools
    ]
    return {"tools": [{"type": "function", "function": one} for one in declared]}


def _for_template(given: Mapping[str, Any], place: str, lost: Lost) -> dict[str, Any]:
    """A message as a chat template reads it: text, calls with arguments as objects."""
    made: dict[str, Any] = {"role": "system" if given["role"] == "developer" else given["role"]}
    made["content"] = with_reasoning(given) if made["role"] == "assistant" else text_of_content(given.get("content"))
    calls = [
        {"type": "function", "function": {"name": call.name, "arguments": dict(call.arguments)}}
        for _, call in calls_in(given)
    ]
    if "refusal" in given:
        lost(f"{place}.refusal", "the refusal")
    _lose_unknown(given, place, lost)
    return {**made, **({"tool_calls": calls} if calls else {}), **({"name": given["name"]} if "name" in given else {})}


def _plain_turns(example: Mapping[str, Any], lost: Lost) -> tuple[str, list[tuple[str, str]]]:
    """The system message, and questions with their answers."""
    system, turns, asked = "", [], ""
    if _tools(example):
        raise CannotHoldError("it declares tools")
    _lose_keys(example, lost)
    for number, one in enumerate(messages_of(example)):
        _lose_extras(one, f"messages[{number}]", lost)
        role, text = one["role"], with_reasoning(one)
        if role in ("tool", "function") or any(True for _ in calls_in(one)):
            raise CannotHoldError(f"messages[{number}] has to do with a tool call")
        if role == "user":
            asked = text
        elif role == "assistant":
            turns.append((asked, text))
        else:
            system = text
    return system, turns


def _lose_keys(example: Mapping[str, Any], lost: Lost, kept: Iterable[str] = ()) -> None:
    """Report the keys of an example that are not a part of the conversation."""
    for key in example:
        if key not in _CONVERSATION and key not in kept:
            lost(key, f"the key {key!r}")


def _lose_extras(message: Mapping[str, Any], place: str, lost: Lost) -> None:
    for key in ("name", "weight", "refusal"):
        if key in message and message[key] != (1 if key == "weight" else None):
            lost(f"{place}.{key}", f"the {key}")
    _lose_unknown(message, place, lost)


def _lose_unknown(message: Mapping[str, Any], place: str, lost: Lost) -> None:
    """Report the keys of a message that no format knows."""
    for key in message:
        if key not in _OF_A_MESSAGE:
            lost(f"{place}.{key}", f"the key {key!r}")
