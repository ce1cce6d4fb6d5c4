"""Turns as JSON, and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from phicli.chat.dialogue import Attachment, Turn
from phicli.chat_format.types import Message, ToolCall


def to_text(turn: Turn) -> str:
    """The JSON text of a turn."""
    data = {
        "question": turn.question,
        "attachments": [dataclasses.asdict(one) for one in turn.attachments],
        "replies": [_message_data(message) for message in turn.replies],
        "facts": None if turn.facts is None else dict(turn.facts),
    }
    return json.dumps(data, separators=(",", ":"))


def turn_of(text: str) -> Turn:
    """The turn that :func:`to_text` made ``text`` of."""
    data = json.loads(text)
    return Turn(
        data["question"],
        tuple(Attachment(**one) for one in data["attachments"]),
        tuple(_message_of(message) for message in data["replies"]),
        data["facts"],
    )


def _message_data(message: Message) -> dict[str, Any]:
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.tool_calls]
    ids = None if message.token_ids is None else list(message.token_ids)
    return {"role": message.role, "content": message.content, "tool_calls": calls, "token_ids": ids}


def _message_of(data: dict[str, Any]) -> Message:
    calls = tuple(ToolCall(call["name"], call["arguments"]) for call in data["tool_calls"])
    ids = data["token_ids"]
    return Message(data["role"], data["content"], calls, None if ids is None else tuple(ids))
