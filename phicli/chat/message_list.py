"""Messages as OpenAI has them, taken one by one: the turns of a conversation, or what a model is asked."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import UsageError

FORM: Final = 'the file must hold OpenAI messages, e.g. {"messages": [{"role": "user", "content": "Hello"}]}'
_ADD_RESULTS: Final = 'add a message for each tool call: {"role": "tool", "tool_call_id": "…", "content": "…"}'
_MOST_NAMES: Final = 3
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
        self._replies: list[Message] = []
        """Of the last turn; only :meth:`_close` puts them into it."""
        self._left_out = 0
        self._summary: str | None = None
        self._calls: OrderedDict[int, tuple[str | None, str]] = OrderedDict()
        """Place to id and name of the calls that have no result yet; the id is None for a call without one."""
        self._places: dict[str | None, int] = {}
        """Id of a call to its place."""
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
        if self._calls and (self._results or self._strict):
            raise UsageError(f"{where}: {self._missing} must come before it", _ADD_RESULTS)
        self._close()
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
        self._close()
        if not self._turns:
            raise UsageError(f"{where} has no message of the role user", FORM)
        if self._replies and self._replies[-1].role == "tool":
            raise UsageError(f"{where} ends with a tool result, but an answer must follow it", "add the answer")
        self._end_turn()
        return Dialogue("\n\n".join(self._system) or None, tuple(self._turns), self._left_out, self._summary)

    def asked(self, where: str) -> tuple[Dialogue, Turn]:
        """The conversation before the last question, and that question with its tool results.

        Raises:
            UsageError: the last message, called ``where``, asks nothing.
        """
        if self._calls:
            raise UsageError(f"{where}: {self._missing} must come behind it", _ADD_RESULTS)
        self._close()
        if not self._turns:
            raise UsageError(f"{where} is the last one, but none has the role user", "add a question")
        if self._replies and self._replies[-1].role == "assistant":
            raise UsageError(f"{where}: the last message is an answer", "add a question, or a tool result")
        last = self._turns.pop()
        question = Turn(last.question, last.attachments, steps=tuple(self._replies))
        return Dialogue("\n\n".join(self._system) if self._system else None, tuple(self._turns)), question

    @property
    def _missing(self) -> str:
        """The results that are not there, by the names of their tools."""
        names = [name for _, name in self._calls.values()]
        return f"the {'result' if len(names) == 1 else 'results'} of {_first(names)}"

    def _close(self) -> None:
        """No more results of the last calls come: those that came are put in the order of the calls."""
        self._replies += (self._results[place] for place in sorted(self._results))
        self._calls, self._places, self._results = OrderedDict(), {}, {}

    def _end_turn(self) -> None:
        if self._turns:
            self._turns[-1] = replace(self._turns[-1], replies=tuple(self._replies))
        self._replies = []

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
        """A question; where several come in a row, a request has the first of them and the others behind it."""
        turn = Turn(_content(data, where), tuple(_attachments(data.get("attachments"), where)))
        if not turn.text.strip():
            raise UsageError(f"{where} is empty", "leave out the message")
        if self._strict and self._turns and (not self._replies or self._replies[-1].role == "user"):
            self._replies.append(Message("user", turn.text))
            return
        if data.get("left_out") is True and self._left_out == len(self._turns):
            self._left_out += 1
        self._end_turn()
        self._turns.append(turn)

    def _assistant(self, data: Mapping[str, Any], where: str) -> None:
        if not self._strict and (not self._turns or (self._replies and self._replies[-1].role != "tool")):
            raise UsageError(f"{where}: an answer must follow a question", "the roles user and assistant alternate")
        calls = list(calls_of(data.get("tool_calls"), where))
        message = Message("assistant", _content(data, where), tuple(call for _, call in calls))
        facts = data.get("facts")
        if facts is not None and not isinstance(facts, dict):
            raise UsageError(f"{where}: facts is not an object", "leave out facts")
        if not self._turns:  # a greeting: nobody asked for it
            self._turns.append(Turn(""))
        self._calls = OrderedDict((place, (known, call.name)) for place, (known, call) in enumerate(calls))
        self._places = {known: place for place, (known, _) in self._calls.items()}
        self._replies.append(message)
        self._turns[-1] = replace(self._turns[-1], facts=facts or None)

    def _tool(self, data: Mapping[str, Any], where: str) -> None:
        """A result, put in the place of its call among the results: a :class:`Message` has no id."""
        if not self._calls:
            raise UsageError(f"{where}: a tool result must follow a tool call", "add the tool call, or leave it out")
        given = data.get("tool_call_id")
        place = self._place(given)
        if place is None:
            waiting = _first([repr(known) for known, _ in self._calls.values()])
            raise UsageError(f"{where}: unknown tool_call_id: {given!r}", f"the calls without a result are {waiting}")
        del self._calls[place]
        self._results[place] = Message("tool", _content(data, where))

    def _place(self, given: Any) -> int | None:
        """The place of the call that a result with the id ``given`` belongs to: the first one, where both have none."""
        if isinstance(given, str) and (place := self._places.get(given)) in self._calls:
            return place
        return next((at for at, (known, _) in self._calls.items() if given is None or known in (given, None)), None)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def _content(data: Mapping[str, Any], where: str) -> str:
    """The text of a message: a string, a list of text parts, or nothing next to tool calls."""
    content = data.get("content")
    if isinstance(content, str):
        return utf8(content, where)
    if content is None and data.get("tool_calls"):
        return ""
    if not isinstance(content, list):
        raise UsageError(f"{where}: {'content is not a string' if 'content' in data else 'it has no content'}", FORM)
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
