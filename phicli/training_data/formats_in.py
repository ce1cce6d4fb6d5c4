"""Examples of other formats as messages: Alpaca, ShareGPT, prompt and completion, tables, saved sessions.

The keys are those of LLaMA-Factory's ``data/README.md`` (Alpaca and ShareGPT, with tools) and of TRL's "Dataset
formats" (prompt and completion), both read in November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.chat.message_list import conversation_of
from phicli.chat.transfer import openai_data
from phicli.errors import UsageError
from phicli.training_data.decoding import value_of

Example = dict[str, Any]
PAIRS: Final = (
    ("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("instruction", "response"),
    ("input", "output"), ("user", "assistant"),
)  # fmt: skip
"""Names of a question and its answer."""
_SPEAKERS: Final[Mapping[str, str]] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "model": "assistant", "system": "system", "observation": "tool",
    "tool": "tool", "function_call": "calls",
}  # fmt: skip
_ONLY_SAVED: Final = frozenset({"facts", "attachments", "left_out", "summary"})


class NotThisFormatError(ValueError):
    """An example does not have the form of its format; the text says why."""


def recognized(example: Any) -> str:
    """The format of ``example``, a key of :data:`READERS`; empty for an unknown one."""
    if not isinstance(example, Mapping):
        return ""
    if "messages" in example:
        said = example["messages"] if isinstance(example["messages"], list) else ()
        saved = any(isinstance(one, Mapping) and not _ONLY_SAVED.isdisjoint(one) for one in said)
        return "session" if saved or "model" in example else "messages"
    if isinstance(example.get("conversations"), list):
        return "sharegpt"
    if "instruction" in example and "output" in example:
        return "alpaca"
    return "prompt-completion" if any(one in example and other in example for one, other in PAIRS) else ""


def from_messages(example: Mapping[str, Any]) -> Example:
    """An example that has messages, or whose ``messages`` are a list of messages."""
    if not isinstance(example.get("messages"), list):
        raise NotThisFormatError("it has no list of messages")
    return dict(example)


def from_session(example: Mapping[str, Any]) -> Example:
    """A session as ``phi sessions export --json`` writes it: what was sent to the model, without what made it."""
    try:
        return {"messages": answered(openai_data(conversation_of(example.get("messages"), "the session")))}
    except UsageError as error:
        raise NotThisFormatError(error.message) from None


def answered(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages up to the last answer: a question at the end teaches nothing."""
    kept = list(messages)
    while kept and kept[-1]["role"] != "assistant":
        kept.pop()
    return kept


def from_pair(example: Mapping[str, Any]) -> Example:
    """A question and an answer; of TRL's pairs of messages only the completion is trained on."""
    names = next((pair for pair in PAIRS if pair[0] in example and pair[1] in example), PAIRS[0])
    prompt, completion = example.get(names[0]), example.get(names[1])
    tools = {"tools": example["tools"]} if example.get("tools") else {}
    if isinstance(prompt, list) and isinstance(completion, list):
        before = [{**one, "weight": 0} if _is_answer(one) else one for one in prompt]
        return {"messages": [*before, *completion], **tools}
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise NotThisFormatError(f"{names[0]} and {names[1]} are neither two texts nor two lists of messages")
    return {"messages": [*_system(example), _said("user", prompt), _said("assistant", completion)], **tools}


def from_alpaca(example: Mapping[str, Any]) -> Example:
    """An instruction with its input, and the output; ``history`` has the turns before."""
    instruction, given, output = example.get("instruction"), example.get("input"), example.get("output")
    if not isinstance(instruction, str) or not isinstance(output, str) or not isinstance(given, str | None):
        raise NotThisFormatError("instruction, input and output are not all text")
    history = example.get("history") or []
    messages = _system(example)
    for pair in history if isinstance(history, list) else [history]:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise NotThisFormatError("a turn of history is not a question with its answer")
        messages += [_said("user", pair[0]), _said("assistant", pair[1])]
    asked = "\n".join(part for part in (instruction, given) if part)
    return {"messages": [*messages, _said("user", asked), _said("assistant", output)]}


def from_sharegpt(example: Mapping[str, Any]) -> Example:
    """Turns with ``from`` and ``value``; calls and results of tools in turns of their own."""
    turns = example.get("conversations")
    if not isinstance(turns, list):
        raise NotThisFormatError("it has no list of conversations")
    messages, waiting, count = _system(example), list[str](), 0
    for number, turn in enumerate(turns):
        speaker, value = _turn(turn, number)
        role = _SPEAKERS.get(speaker.lower())
        if role is None:
            raise NotThisFormatError(f"conversations[{number}]: unknown speaker {speaker!r}")
        if role == "calls":
            calls = list(_calls(value, number, count))
            count, waiting = count + len(calls), [call["id"] for call in calls]
            messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        elif role == "tool":
            known = {"tool_call_id": waiting.pop(0)} if waiting else {}
            messages.append({"role": "tool", "content": value, **known})
        else:
            messages.append(_said(role, value))
    tools = example.get("tools")
    if isinstance(tools, str):
        tools = _parsed(tools, "tools") if tools.strip() else None
    return {"messages": messages, **({"tools": [_declared(one) for one in tools]} if tools else {})}


READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Example]]] = {
    "messages": from_messages,
    "alpaca": from_alpaca,
    "sharegpt": from_sharegpt,
    "prompt-completion": from_pair,
    "session": from_session,
}
"""Format to what reads an example of it."""


def with_system(example: Example, system: str | None) -> Example:
    """The example with a system message, where it has none and one is given."""
    messages: Sequence[Any] = example.get("messages") or ()
    has_one = bool(messages) and isinstance(messages[0], Mapping) and messages[0].get("role") == "system"
    if system is None or has_one:
        return example
    return {**example, "messages": [_said("system", system), *messages]}


def _said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _system(example: Mapping[str, Any]) -> list[dict[str, Any]]:
    system = example.get("system")
    return [_said("system", system)] if isinstance(system, str) and system else []


def _is_answer(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "assistant"


def _turn(turn: Any, number: int) -> tuple[str, str]:
    speaker = turn.get("from", turn.get("role")) if isinstance(turn, Mapping) else None
    value = turn.get("value", turn.get("content")) if isinstance(turn, Mapping) else None
    if not isinstance(speaker, str) or not isinstance(value, str):
        raise NotThisFormatError(f"conversations[{number}] does not have from and value as text")
    return speaker, value


def _calls(value: str, number: int, before: int) -> Iterator[dict[str, Any]]:
    where = f"conversations[{number}]"
    given = _parsed(value, where)
    for place, call in enumerate(given if isinstance(given, list) else [given], before + 1):
        if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
            raise NotThisFormatError(f"{where}: a call has no name")
        arguments = call.get("arguments", {})
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        function = {"name": call["name"], "arguments": text}
        yield {"id": f"call_{place}", "type": "function", "function": function}


def _declared(tool: Any) -> Any:
    """A declaration as OpenAI has it, where it has a name and no wrapper."""
    bare = isinstance(tool, Mapping) and "function" not in tool and "name" in tool
    return {"type": "function", "function": dict(tool)} if bare else tool


def _parsed(text: str, where: str) -> Any:
    try:
        return value_of(text)
    except ValueError:
        raise NotThisFormatError(f"{where} is not JSON") from None
