"""Conversations of other programs: OpenAI messages and what :mod:`phicli.chat.transfer` writes, as a dialogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.message_list import FORM, conversation_of, parsed, request_of, utf8
from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import read_small

MOST_BYTES: Final = 256 << 20
"""The largest file that is read."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A conversation from a file; ``name`` and ``model`` are None where the file does not name them."""

    dialogue: Dialogue
    name: str | None = None
    model: str | None = None


def read_conversation_file(path: Path) -> Imported:
    """The conversation in the file ``path``.

    Raises:
        NotFoundError: the file does not exist.
        UsageError: it cannot be read, or :func:`read_conversation` refuses it.
    """
    hint = "name a file with OpenAI messages, or write one: phi sessions export NAME --json --output FILE"
    try:
        content = read_small(path, MOST_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"the file {path} does not exist", hint) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}", hint) from error
    return read_conversation(content, str(path))


def read_conversation(content: bytes, where: str) -> Imported:
    """The conversation in ``content``: an object with ``messages``, a list of messages, or one message per line.

    Args:
        content: JSON in one of its encodings, or JSON lines.
        where: the name of the file, for errors.

    Raises:
        UsageError: it is something else; the message names the line or the number of the message.
    """
    data = _value(content, where)
    if not isinstance(data, dict):
        return Imported(conversation_of(data, where))
    if "messages" not in data:
        raise UsageError(f"{where} has no messages", FORM)
    return Imported(conversation_of(data["messages"], where), _word(data, "name", where), _word(data, "model", where))


def read_request(content: bytes, where: str) -> tuple[Dialogue, Turn]:
    """What ``content``, which holds messages in the same forms, asks: what was said before, and the question.

    Raises:
        UsageError: it is something else, or nothing is asked; the message names the line or the number of the message.
    """
    data = _value(content, where)
    if not isinstance(data, dict):
        return request_of(data, where)
    if data.get("tools"):
        raise UsageError(f"{where} declares tools next to its messages", "put them into a file for --tools")
    return request_of([data] if "role" in data else data.get("messages"), where)


def _value(content: bytes, where: str) -> Any:
    try:
        text = content.decode("utf-8-sig" if content[:3] == b"\xef\xbb\xbf" else json.detect_encoding(content))
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise UsageError(f"{where} is not UTF-8 text: {byte}", "convert the file to UTF-8 first") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{where} is empty", FORM)
    try:
        return parsed(text)
    except (ValueError, RecursionError) as error:
        found = _lines(lines, where)
        if found is None:
            why = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
            raise UsageError(f"{where} is not JSON{why}", FORM) from None
        return found


def _lines(lines: Sequence[tuple[int, str]], where: str) -> list[Any] | None:
    """The values of JSON lines; None for a text that has none, because its first line is not JSON."""
    found = []
    for number, line in lines:
        try:
            found.append(parsed(line))
        except (ValueError, RecursionError):
            if not found:
                return None
            raise UsageError(f"line {number} of {where} is not JSON", FORM) from None
    if any(isinstance(one, dict) and "messages" in one for one in found):
        raise UsageError(
            f"{where} has several conversations, but a session is one conversation",
            "import each line as a separate file",
        )
    return found


def _word(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: {key} is not a string", FORM)
    return utf8(value, f"{where}: {key}") if value else None
