"""Messages as OpenAI has them, taken one by one: the turns of a conversation, or what a model is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import UsageError

FORM: Final = 'the file must hold OpenAI messages, e.g. {"messages": [{"role": "user", "content": "Hello"}]}'
_ROLES: Final = ("system", "developer", "user", "assistant", "tool")


def conversation_of(data: Any, where: str) -> Dialogue:
    """The conversation in a list of messages; ``where`` is the name of the file.

    Raises:
        UsageError: it is something else, or ends with a tool result; the message names the number of the message.
    """
    return _taken(data, where).finished(where)


def request_of(data: Any, where: str) -> tuple[Dialogue, Turn]:
    """What a list of messages asks of a model: what was said before, and the question with its tool results so far.

    Raises:
        UsageError: it is something else, or nothing is asked; the message names the number of the message.
    """
    return _taken(data, where, strict=True).asked(f"{where}: message {len(data)}")


def parsed(text: str) -> Any:
    """The value of JSON.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    return json.loads(text, parse_constant=_refuse)


def utf8(text: str, where: str) -> str:
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


def _taken(data: Any, where: str, *, strict: bool = False) -> _Builder:
    if not isinstance(data, list):
        raise UsageError(f"{where}: the messages are not a list", FORM)
    if not data:
        raise UsageError(f"{where} has no messages", FORM)
    builder = _Builder(strict=strict)
    for number, one in enumerate(data, 1):
        builder.take(one, f"{where}: message {number}")
    return builder


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


class _Builder:
    """Takes messages in their order; ``strict`` refuses what would not be sent to a model as it is."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
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
            raise UsageError(f"{where} is not an object", FORM)
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
            raise UsageError(f"{where} has no message of the role user", FORM)
        if self._turns[-1].replies and self._turns[-1].replies[-1].role == "tool":
            raise UsageError(f"{where} ends with a tool result, but an answer must follow it", "add the answer")
        return Dialogue("\n\n".join(self._system) or None, tuple(self._turns), self._left_out, self._summary)

    def asked(self, where: str) -> tuple[Dialogue, Turn]:
        """The conversation before the last question, and that question with its tool results.

        Raises:
            UsageError: the last message, called ``where``, asks nothing.
        """
        last = self._turns[-1] if self._turns else None
        if last is None:
            raise UsageError(f"{where} is the last one, but none has the role user", "add a question")
        if self._calls:
            raise UsageError(f"{where}: {len(self._calls)} of the tool results behind it are missing", "add them")
        if last.replies and last.replies[-1].role != "tool":
            raise UsageError(f"{where}: the last message is an answer", "add a question, or a tool result")
        question = Turn(last.question, last.attachments, steps=last.replies)
        return Dialogue("\n\n".join(self._system) if self._system else None, tuple(self._turns[:-1])), question

    def _system_message(self, data: Mapping[str, Any], where: str) -> None:
        content = _content(data, where)
        if self._strict and (self._system or self._turns):
            place = "behind a question" if self._turns else "a second one"
            raise UsageError(f"{where}: the system message is {place}", "put all of it into the first message")
        if self._strict:
            self._system.append(content)
            return
        if data.get("summary") is True:
            if self._summary is not None:
                raise UsageError(f"{where} is a second summary", "leave out one of them")
            self._summary, self._left_out = content, len(self._turns)
        elif self._turns:
            raise UsageError(f"{where}: a system message must come before all questions", "move it to the beginning")
        else:
            self._system += [content] if content else []

    def _user(self, data: Mapping[str, Any], where: str) -> None:
        if self._strict and self._turns and not self._turns[-1].replies:
            raise UsageError(f"{where}: a question must follow an answer", "join the two messages of the role user")
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
        calls = list(calls_of(data.get("tool_calls"), where))
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
        return utf8(content, where)
    if content is None and data.get("tool_calls"):
        return ""
    if not isinstance(content, list):
        raise UsageError(f"{where}: content is not a string", FORM)
    return "".join(_part(one, where) for one in content)


def _part(data: Any, where: str) -> str:
    kind = data.get("type") if isinstance(data, dict) else None
    if kind != "text" or not isinstance(data.get("text"), str):
        raise UsageError(f"{where} has a part of the type {kind!r}, but only text can be sent", "leave out the part")
    return utf8(data["text"], where)


def _attachments(data: Any, where: str) -> Iterator[Attachment]:
    if not isinstance(data, list | None):
        raise UsageError(f"{where}: attachments is not a list", FORM)
    for one in data or ():
        values = (one.get("name"), one.get("text")) if isinstance(one, dict) else (None, None)
        if not all(isinstance(value, str) for value in values):
            raise UsageError(f"{where}: an attachment has no name or no text", "leave out the attachment")
        yield Attachment(utf8(str(values[0]), where), utf8(str(values[1]), where))


def calls_of(data: Any, where: str) -> Iterator[tuple[str | None, ToolCall]]:
    """The id and the call of each of ``data``, as OpenAI has them or as ``phi chat --json`` prints them.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(data, list | None):
        raise UsageError(f"{where}: tool_calls is not a list", FORM)
    for number, one in enumerate(data or (), 1):
        call = f"{where}: tool call {number}"
        function = one.get("function", one) if isinstance(one, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise UsageError(f"{call} has no function with a name", FORM)
        known = one.get("id")
        yield known if isinstance(known, str) else None, ToolCall(utf8(name, call), _arguments(function, call))


def _arguments(function: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    value = function.get("arguments", "{}")
    if isinstance(value, str):
        try:
            value = parsed(value or "{}")
        except (ValueError, RecursionError):
            raise UsageError(f"{where}: the arguments are not JSON: {value[:60]!r}", FORM) from None
    if not isinstance(value, dict):
        raise UsageError(f"{where}: the arguments are not a JSON object", FORM)
    return value
