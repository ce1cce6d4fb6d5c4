"""Reads the body of a request for a chat completion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from phicli.chat_format.types import Message, Role
from phicli.server.openai.errors import RequestError
from phicli.server.types import Asked

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked, and how the answer is wanted; ``usage_chunk``: a stream ends with a chunk that has the usage."""

    asked: Asked
    stream: bool
    usage_chunk: bool


def read_chat_request(body: Mapping[str, Any]) -> ChatRequest:
    """The request in ``body``; unknown fields are ignored.

    Raises:
        RequestError: it is wrong; names the field.
    """
    messages = tuple(_message(one, f"messages[{at}]") for at, one in enumerate(body.get("messages") or ()))
    if not messages:
        raise RequestError("messages is empty", "send at least one message", param="messages")
    sampling = {name: body[name] for name in ("temperature", "top_p", "seed") if body.get(name) is not None}
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if most is not None:
        sampling["max_tokens"] = most
    stop = body.get("stop") or ()
    options = body.get("stream_options") or {}
    return ChatRequest(
        Asked(
            str(body.get("model", "")),
            messages,
            sampling=sampling,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
        ),
        bool(body.get("stream")),
        bool(options.get("include_usage")),
    )


def _message(data: Any, where: str) -> Message:
    if not isinstance(data, Mapping):
        raise RequestError(f"{where} is not an object", param=where)
    role = data.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise RequestError(f"unknown role: {role!r}", param=f"{where}.role")
    return Message(_ROLES[role], str(data.get("content") or ""))
