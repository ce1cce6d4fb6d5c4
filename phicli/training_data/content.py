"""What a message says: text, parts of text, and reasoning between tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from phicli.chat_format.think_tags import CLOSE, OPEN

Add = Callable[[str, str, str], None]
_SPEAKERS: Final = {
    "user": "question",
    "assistant": "answer",
    "system": "system message",
    "developer": "system message",
}


def is_blank(text: str) -> bool:
    """Whether a text has nothing but white space."""
    return not text or text.isspace()


def check_content(message: Mapping[str, Any], role: str, place: str, add: Add, *, images: bool) -> None:
    """Report a content that is missing, empty, or something else than text.

    Args:
        message: whose content it is.
        role: of the message.
        place: of the message.
        add: takes what is found.
        images: whether parts may be images.
    """
    content, where = message.get("content"), f"{place}.content"
    calls = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
    if content is None:
        if not calls:
            add("empty", where, "the message has no content")
    elif type(content) is list:
        _check_parts(content, where, role, add, images=images)
    elif type(content) is not str:
        add("content", where, f"the content is {_kind(content)}, not text")
    elif not calls and role not in ("tool", "function"):
        add("empty", where, f"the {_SPEAKERS[role]} is empty")


def check_reasoning(content: str, where: str, add: Add) -> None:
    """Report reasoning that begins and does not end, or that has no answer behind it."""
    if not content.lstrip().startswith(OPEN):
        return
    _, closed, answer = content.rpartition(CLOSE)
    if not closed:
        add("reasoning", where, f"the reasoning is not closed: {CLOSE} is missing")
    elif is_blank(answer):
        add("reasoning", where, "the reasoning has no answer behind it")


def _check_parts(parts: list[Any], where: str, role: str, add: Add, *, images: bool) -> None:
    texts = 0
    for number, part in enumerate(parts):
        place = f"{where}[{number}]"
        kind = part.get("type") if type(part) is dict else None
        if kind == "text" and type(part.get("text")) is str:
            texts += not is_blank(part["text"])
        elif kind == "image_url" and images and role == "user":
            add("service", place, "an image is not checked here")
            texts += 1
        else:
            add("content", place, f"a part of the type {str(kind)[:40]!r} is not text")
            texts += 1
    if not texts:
        add("empty", where, f"the {_SPEAKERS.get(role, 'tool result')} is empty")


def _kind(value: Any) -> str:
    names = {dict: "an object", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "a value")
