"""A conversation as other programs read it: JSON with everything, OpenAI messages, or Markdown.

:mod:`phicli.chat.importing` reads the first two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.saved_adapters import adapters_of_answer
from phicli.chat_format.code_blocks import CodeBlocks
from phicli.chat_format.types import Message
from phicli.units import counted, format_bytes

_TICKS: Final = re.compile(r"`+")


def messages_data(dialogue: Dialogue) -> list[dict[str, Any]]:
    """All messages of ``dialogue``, with what only ``phi`` knows under additional keys.

    A user message has the words of the person as ``content`` and may have ``attachments`` (name and text) and
    ``left_out`` (true: it is no longer sent to the model). An answer may have ``facts``. A system message with
    ``summary`` (true) stands behind the turns that are left out; its ``content`` is sent in their place. Token ids are
    not exported: they mean nothing to another model.
    """
    data = _system(dialogue)
    ids = _Ids()
    for number, turn in enumerate(dialogue.turns):
        if number == dialogue.left_out:
            data += _summary(dialogue)
        question: dict[str, Any] = {"role": "user", "content": turn.question}
        if turn.attachments:
            question["attachments"] = [{"name": one.name, "text": one.text} for one in turn.attachments]
        if number < dialogue.left_out:
            question["left_out"] = True
        replies = ids.replies(turn)
        if turn.facts and replies:
            replies[-1]["facts"] = dict(turn.facts)
        data += [question, *replies]
    return data + (_summary(dialogue) if dialogue.left_out >= len(dialogue.turns) else [])


def openai_data(dialogue: Dialogue) -> list[dict[str, Any]]:
    """All messages of ``dialogue`` as the chat completions interface of OpenAI has them.

    Attachments are a part of the text, as the model read them. Turns that are left out are there, so a summary of them
    is not.
    """
    data, ids = _system(dialogue), _Ids()
    for turn in dialogue.turns:
        data += [{"role": "user", "content": turn.text}, *ids.replies(turn)]
    return data


def markdown_text(name: str, model: str, dialogue: Dialogue) -> str:
    """``dialogue`` as a Markdown document: all texts as they are, attachments in code blocks."""
    return "\n".join(_document(name, model, dialogue)).rstrip("\n") + "\n"


def made_by(turn: Turn) -> str:
    """What made the answer of ``turn``, in one line; empty where that is unknown."""
    facts = turn.facts or {}
    settings = facts.get("settings")
    sampling = facts.get("sampling")
    values = {**(settings if isinstance(settings, dict) else {}), **(sampling if isinstance(sampling, dict) else {})}
    usage, seed = facts.get("usage"), facts.get("seed", values.get("seed"))
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    parts = [
        *([str(facts["model"])] if facts.get("model") else []),
        *_adapters(facts),
        *([str(facts["build"])] if facts.get("build") else []),
        *([f"temperature {values['temperature']:g}"] if _is_number(values.get("temperature")) else []),
        *([f"seed {seed}"] if _is_number(seed) else []),
        *([counted(tokens, "token")] if isinstance(tokens, int) else []),
        *(_ended(facts.get("finish_reason"), facts.get("stopped_by"))),
    ]
    return ", ".join(parts)


def _adapters(facts: Mapping[str, Any]) -> list[str]:
    """The adapters of an answer with these facts, by their names here: ``adapter NAME:0.5``; empty without any."""
    adapters = adapters_of_answer(facts)
    if not adapters:
        return []
    from phicli.adapters.registry import name_of

    named = " and ".join(one.typed_as(name_of(one.path)) for one in adapters)
    return [f"{'adapter' if len(adapters) == 1 else 'adapters'} {named}"]


def first_turns(count: int) -> str:
    """The first ``count`` turns (at least one) by their numbers: ``turn 1``, ``turns 1 to 3``."""
    return "turn 1" if count == 1 else f"turns 1 to {count}"


def attachment_label(attachment: Attachment) -> str:
    """An attachment by its name and size: ``notes.txt (1.2 KiB)``."""
    return f"{attachment.name or 'piped text'} ({format_bytes(len(attachment.text.encode(errors='replace')))})"


class _Ids:
    """Ids of tool calls, which OpenAI's messages need to say which call a result belongs to."""

    def __init__(self) -> None:
        self._count = 0

    def replies(self, turn: Turn) -> list[dict[str, Any]]:
        """The messages behind the question."""
        open_calls: list[str] = []
        data = []
        for message in turn.replies:
            one: dict[str, Any] = {"role": message.role, "content": message.content}
            if message.tool_calls:
                calls = self._calls(message)
                open_calls = [call["id"] for call in calls]
                one["tool_calls"] = calls
            elif message.role == "tool" and open_calls:
                one["tool_call_id"] = open_calls.pop(0)
            data.append(one)
        return data

    def _calls(self, message: Message) -> list[dict[str, Any]]:
        calls = []
        for call in message.tool_calls:
            self._count += 1
            function = {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)}
            calls.append({"id": f"call_{self._count}", "type": "function", "function": function})
        return calls


def _system(dialogue: Dialogue) -> list[dict[str, Any]]:
    return [{"role": "system", "content": dialogue.system}] if dialogue.system else []


def _summary(dialogue: Dialogue) -> list[dict[str, Any]]:
    return [{"role": "system", "content": dialogue.summary, "summary": True}] if dialogue.summary else []


def _document(name: str, model: str, dialogue: Dialogue) -> Iterator[str]:
    yield from (f"# {name}", "", f"Model: {model}, {counted(len(dialogue.turns), 'turn')}", "")
    if dialogue.system:
        yield from ("## System message", "", _closed(dialogue.system), "")
    for number, turn in enumerate(dialogue.turns, 1):
        if number == dialogue.left_out + 1:
            yield from _summary_lines(dialogue)
        yield from _turn_lines(number, turn, left_out=number <= dialogue.left_out)
    if dialogue.left_out >= len(dialogue.turns):
        yield from _summary_lines(dialogue)


def _summary_lines(dialogue: Dialogue) -> Iterator[str]:
    if dialogue.summary:
        yield from (f"## Summary of {first_turns(dialogue.left_out)}", "", _closed(dialogue.summary), "")


def _turn_lines(number: int, turn: Turn, *, left_out: bool) -> Iterator[str]:
    yield from (f"## {number}. Question{' (no longer sent to the model)' if left_out else ''}", "")
    for attachment in turn.attachments:
        fence = _fence(attachment.text)
        yield from (f"Attached: {attachment_label(attachment)}", "", fence, attachment.text.rstrip("\r\n"), fence, "")
    if turn.question:
        yield from (_closed(turn.question), "")
    for message in turn.replies:
        yield from _reply_lines(number, message)
    if turn.replies and (note := made_by(turn)):
        yield from (f"*{note.replace('*', '')}*", "")


def _reply_lines(number: int, message: Message) -> Iterator[str]:
    yield from (f"## {number}. {'Tool result' if message.role == 'tool' else 'Answer'}", "")
    if message.role == "tool":
        fence = _fence(message.content)
        yield from (fence, message.content, fence, "")
    elif message.content:
        yield from (_closed(message.content), "")
    for call in message.tool_calls:
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False, indent=2)
        fence = _fence(arguments)
        yield from (f"Tool call: {call.name}", "", f"{fence}json", arguments, fence, "")


def _closed(text: str) -> str:
    """``text`` with an end for a code block that has none: otherwise everything behind it would be code."""
    blocks = CodeBlocks()
    blocks.feed(f"{text}\n")
    return f"{text}\n{blocks.fence}" if blocks.inside else text


def _fence(text: str) -> str:
    """A fence that no line of ``text`` can end."""
    return "`" * max(3, 1 + max((len(found) for found in _TICKS.findall(text)), default=0))


def _ended(reason: Any, stopped_by: Any) -> Sequence[str]:
    words = {"length": "cut off", "interrupted": "interrupted", "tool_calls": "tool calls"}.get(str(reason))
    return ["stopped because it repeated itself"] if stopped_by == "repetition" else [words] if words else []


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
