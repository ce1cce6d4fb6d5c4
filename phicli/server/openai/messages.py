"""The messages of a request: a conversation in the order in which it was sent."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from phicli.chat.message_list import calls_of
from phicli.chat_format.types import Message, Role, ToolCall
from phicli.errors import UsageError
from phicli.server.errors import RequestError
from phicli.server.openai.fields import Fields, check_value, shown, unknown, wrong

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
}  # fmt: skip
_PARTS: Final = ("text", "refusal")
_BETWEEN_PARTS: Final = "\n"
_MOST_IDS: Final = 3


def messages_of(fields: Fields) -> tuple[Message, ...]:
    """The messages of a request, oldest first.

    They stay in their order, whatever their roles, except for the results of one message's tool calls: these come in
    the order of the calls. An empty answer at the end, which would be continued, is left out.

    Raises:
        RequestError: a message is wrong, or a tool result is missing.
    """
    listed = fields.list("messages")
    if not listed:
        raise RequestError("messages is empty", "send at least one message", param="messages")
    reader = _Reader()
    for at, one in enumerate(listed):
        reader.take(Fields.of(one, f"messages[{at}]"))
    reader.require_results("messages")
    messages = reader.messages
    last = messages[-1]
    if last.role == "assistant" and not last.content:
        messages.pop()
    if not messages:
        raise RequestError("messages has only an empty answer", "send a message of the role user", param="messages")
    return tuple(messages)


class _Reader:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._waiting: OrderedDict[int, str | None] = OrderedDict()
        """Place to id of the calls that have no result yet; None for a call without an id."""
        self._places: dict[str | None, deque[int]] = {}
        """Id to the places of these calls, in order."""
        self._results: dict[int, Message] = {}
        """Place of a call to its result."""

    def take(self, fields: Fields) -> None:
        """The next message."""
        given = fields.get("role")
        if not isinstance(given, str) or given not in _ROLES:
            raise unknown(fields.path("role"), given, tuple(_ROLES))
        role = _ROLES[given]
        if role == "tool":
            self._result(fields)
            return
        self.require_results(fields.path("role"))
        calls = self._calls(fields) if role == "assistant" else ()
        self.messages.append(Message(role, _content(fields, role), calls))

    def require_results(self, path: str) -> None:
        """Return if all calls so far have results; these come in the order of the calls.

        Raises:
            RequestError: one has none; ``path`` is where it should have come.
        """
        if self._waiting:
            raise RequestError(
                f"{path}: there is no tool result for these tool calls: {self._ids}",
                "send a message of the role tool for each call, directly behind the message that has the calls",
                param=path,
            )
        self.messages += (self._results[place] for place in sorted(self._results))
        self._results = {}

    @property
    def _ids(self) -> str:
        """The first ids of the calls that have no result yet."""
        ids = [shown(name) for name in islice(self._waiting.values(), _MOST_IDS)]
        return ", ".join([*ids, *(["…"] if len(self._waiting) > _MOST_IDS else [])])

    def _calls(self, fields: Fields) -> tuple[ToolCall, ...]:
        fields.refuse("function_call", hint="use tool_calls")
        fields.refuse("audio", hint="the model knows only text")
        for at, one in enumerate(fields.list("tool_calls")):
            call = Fields.of(one, f"{fields.path('tool_calls')}[{at}]")
            if call.get("type") not in (None, "function"):
                raise unknown(call.path("type"), call.get("type"), ("function",))
        try:
            calls = list(calls_of(fields.get("tool_calls"), fields.where))
        except UsageError as error:
            raise RequestError(error.message, param=fields.path("tool_calls")) from None
        check_value([dict(call.arguments) for _, call in calls], fields.path("tool_calls"), fields.path("tool_calls"))
        self._waiting = OrderedDict((place, name) for place, (name, _) in enumerate(calls))
        self._places = {}
        for place, name in self._waiting.items():
            self._places.setdefault(name, deque()).append(place)
        return tuple(call for _, call in calls)

    def _result(self, fields: Fields) -> None:
        given, path = fields.text("tool_call_id"), fields.path("tool_call_id")
        if not self._waiting:
            raise RequestError(f"{fields.where}: a tool result must follow its tool call", param=fields.path("role"))
        first = next(iter(self._waiting.values()))
        places = self._places.get(first if given is None else given) or self._places.get(None)
        if not places:
            raise RequestError(
                f"unknown {path}: {shown(given)}", f"the calls without a result are {self._ids}", param=path
            )
        place = places.popleft()
        del self._waiting[place]
        self._results[place] = Message("tool", _content(fields, "tool"))


def _content(fields: Fields, role: Role) -> str:
    """The text of a message: a string, or parts, with a line break between them; only an answer may have none."""
    value, path = fields.get("content"), fields.path("content")
    if isinstance(value, str):
        return value
    if value is None and role == "assistant":
        return fields.text("refusal") or ""
    if not isinstance(value, list):
        raise wrong(path, value, "a string or a list of parts")
    return _BETWEEN_PARTS.join(_parts(value, path))


def _parts(parts: Sequence[Any], path: str) -> Sequence[str]:
    return [_part(Fields.of(one, f"{path}[{at}]")) for at, one in enumerate(parts)]


def _part(part: Fields) -> str:
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in _PARTS:
        if isinstance(kind, str):
            raise RequestError(
                f"{part.where} is of the type {shown(kind)}, but the model knows only text",
                "send only parts of the type text",
                param=part.path("type"),
            )
        raise wrong(part.path("type"), kind, "a string")
    text = part.text(kind)
    if text is None:
        raise wrong(part.path(kind), None, "a string")
    return text
