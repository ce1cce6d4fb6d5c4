"""Conversations of other programs: OpenAI messages and what :mod:`phicli.chat.transfer` writes, as a dialogue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import read_small

_FORM: Final = 'the file must hold OpenAI messages, e.g. {"messages": [{"role": "user", "content": "Hello"}]}'
MOST_BYTES: Final = 256 << 20
"""The largest file that is read."""
_ROLES: Final = ("system", "developer", "user", "assistant", "tool")


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
        return Imported(_dialogue(data, where))
    if "messages" not in data:
        raise UsageError(f"{where} has no messages", _FORM)
    return Imported(_dialogue(data["messages"], where), _word(data, "name", where), _word(data, "model", where))


def _value(content: bytes, where: str) -> Any:
    try:
        text = content.decode("utf-8-sig" if content[:3] == b"\xef\xbb\xbf" else json.detect_encoding(content))
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise UsageError(f"{where} is not UTF-8 text: {byte}", "convert the file to UTF-8 first") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{where} is empty", _FORM)
    try:
        return _parsed(text)
    except (ValueError, RecursionError) as error:
        found = _lines(lines, where)
        if found is None:
            why = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
            raise UsageError(f"{where} is not JSON{why}", _FORM) from None
        return found


def _lines(lines: Sequence[tuple[int, str]], where: str) -> list[Any] | None:
    """The values of JSON lines; None for a text that has none, because its first line is not JSON."""
    found = []
    for number, line in lines:
        try:
            found.append(_parsed(line))
        except (ValueError, RecursionError):
            if not found:
                return None
            raise UsageError(f"line {number} of {where} is not JSON", _FORM) from None
    if any(isinstance(one, dict) and "messages" in one for one in found):
        raise UsageError(
            f"{where} has several conversations, but a session is one conversation",
            "import each line as a separate file",
        )
    return found


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _word(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: {key} is not a string", _FORM)
    return _text(value, f"{where}: {key}") if value else None


def _dialogue(data: Any, where: str) -> Dialogue:
    if not isinstance(data, list):
        raise UsageError(f"{where}: the messages are not a list", _FORM)
    if not data:
        raise UsageError(f"{where} has no messages", _FORM)
    builder = _Builder()
    for number, one in enumerate(data, 1):
        builder.take(one, f"{where}: message {number}")
    return builder.finished(where)


class _Builder:
    """Takes messages in their order."""

    def __init__(self) -> None:
        self._system: list[str] = []
        self._turns: list[Turn] = []
        self._left_out = 0
        self._summary: str | None = None
        self._calls: dict[int, str | None] = {}
        """Place to id of the calls that have no result yet; None for a call without an id."""
        self._results: dict[int, Message] = {}
        """Place of a call to its result."""

    def take(self, data: Any, where: str) -> None:
        """The next message.

        Raises:
            UsageError: it is not a message, or it cannot stand here.
        """
        if not isinstance(data, dict):
            raise UsageError(f"{where} is not an object", _FORM)
        role = data.get("role")
        if role not in _ROLES:
            raise UsageError(f"{where}: unknown role: {role!r}", f"the roles are {', '.join(_ROLES)}")
        if role == "tool":
            self._tool(data, where)
            return
        if self._calls and self._results:
            raise UsageError(f"{where}: {len(self._calls)} of the tool results before it are missing", "add them")
        self._calls, self._results = {}, {}
        if role == "user":
            self._user(data, where)
        elif role == "assistant":
            self._assistant(data, where)
        else:
            self._system_message(data, where)

    def finished(self, where: str) -> Dialogue:
        """The conversation.

        Raises:
            UsageError: there is no question, or the answer to a tool's result is missing.
        """
        if not self._turns:
            raise UsageError(f"{where} has no message of the role user", _FORM)
        if self._turns[-1].replies and self._turns[-1].replies[-1].role == "tool":
            raise UsageError(f"{where} ends with a tool result, but an answer must follow it", "add the answer")
        return Dialogue("\n\n".join(self._system) or None, tuple(self._turns), self._left_out, self._summary)

    def _system_message(self, data: Mapping[str, Any], where: str) -> None:
        content = _content(data, where)
        if data.get("summary") is True:
            if self._summary is not None:
                raise UsageError(f"{where} is a second summary", "leave out one of them")
            self._summary, self._left_out = content, len(self._turns)
        elif self._turns:
            raise UsageError(f"{where}: a system message must come before all questions", "move it to the beginning")
        else:
            self._system += [content] if content else []

    def _user(self, data: Mapping[str, Any], where: str) -> None:
        turn = Turn(_content(data, where), tuple(_attachments(data.get("attachments"), where)))
        if not turn.text.strip():
            raise UsageError(f"{where} is empty", "leave out the message")
        if data.get("left_out") is True and self._left_out == len(self._turns):
            self._left_out += 1
        self._turns.append(turn)

    def _assistant(self, data: Mapping[str, Any], where: str) -> None:
        last = self._turns[-1] if self._turns else None
        if last is None or (last.replies and last.replies[-1].role != "tool"):
            raise UsageError(f"{where}: an answer must follow a question", "the roles user and assistant alternate")
        calls = list(_calls(data.get("tool_calls"), where))
        message = Message("assistant", _content(data, where), tuple(call for _, call in calls))
        facts = data.get("facts")
        if facts is not None and not isinstance(facts, dict):
            raise UsageError(f"{where}: facts is not an object", "leave out facts")
        self._calls = dict(enumerate(name for name, _ in calls))
        self._turns[-1] = replace(last, replies=(*last.replies, message), facts=facts or None)

    def _tool(self, data: Mapping[str, Any], where: str) -> None:
        """A result, put in the place of its call among the results: a :class:`Message` has no id."""
        if not self._calls:
            raise UsageError(f"{where}: a tool result must follow a tool call", "add the tool call, or leave it out")
        given = data.get("tool_call_id")
        place = next((at for at, name in self._calls.items() if given is None or name in (given, None)), None)
        if place is None:
            waiting = ", ".join(map(repr, self._calls.values()))
            raise UsageError(f"{where}: unknown tool_call_id: {given!r}", f"the calls without a result are {waiting}")
        del self._calls[place]
        last = self._turns[-1]
        before = last.replies[: len(last.replies) - len(self._results)]
        self._results[place] = Message("tool", _content(data, where))
        self._turns[-1] = replace(last, replies=(*before, *(self._results[at] for at in sorted(self._results))))


def _content(data: Mapping[str, Any], where: str) -> str:
    """The text of a message: a string, a list of text parts, or nothing next to tool calls."""
    content = data.get("content")
    if isinstance(content, str):
        return _text(content, where)
    if content is None and data.get("tool_calls"):
        return ""
    if not isinstance(content, list):
        raise UsageError(f"{where}: content is not a string", _FORM)
    return "".join(_part(one, where) for one in content)


def _part(data: Any, where: str) -> str:
    kind = data.get("type") if isinstance(data, dict) else None
    if kind != "text" or not isinstance(data.get("text"), str):
        raise UsageError(f"{where} has a part of the type {kind!r}, but a session has only text", "leave out the part")
    return _text(data["text"], where)


def _attachments(data: Any, where: str) -> Iterator[Attachment]:
    if not isinstance(data, list | None):
        raise UsageError(f"{where}: attachments is not a list", _FORM)
    for one in data or ():
        values = (one.get("name"), one.get("text")) if isinstance(one, dict) else (None, None)
        if not all(isinstance(value, str) for value in values):
            raise UsageError(f"{where}: an attachment has no name or no text", "leave out the attachment")
        yield Attachment(_text(str(values[0]), where), _text(str(values[1]), where))


def _calls(data: Any, where: str) -> Iterator[tuple[str | None, ToolCall]]:
    """The id and the call of each of ``data``, as OpenAI has them or as ``phi chat --json`` prints them."""
    if not isinstance(data, list | None):
        raise UsageError(f"{where}: tool_calls is not a list", _FORM)
    for number, one in enumerate(data or (), 1):
        call = f"{where}: tool call {number}"
        function = one.get("function", one) if isinstance(one, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise UsageError(f"{call} has no function with a name", _FORM)
        known = one.get("id")
        yield known if isinstance(known, str) else None, ToolCall(_text(name, call), _arguments(function, call))


def _arguments(function: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    value = function.get("arguments", "{}")
    if isinstance(value, str):
        try:
            value = _parsed(value or "{}")
        except (ValueError, RecursionError):
            raise UsageError(f"{where}: the arguments are not JSON: {value[:60]!r}", _FORM) from None
    if not isinstance(value, dict):
        raise UsageError(f"{where}: the arguments are not a JSON object", _FORM)
    return value


def _text(text: str, where: str) -> str:
    """``text``, if it can be written as UTF-8.

    Raises:
        UsageError: it has half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise UsageError(f"{where} has {half} alone, which is half of a character", "correct the file") from None
    return text
