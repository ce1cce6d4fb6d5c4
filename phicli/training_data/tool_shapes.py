"""Tools in training data: their declarations, calls, and results, in OpenAI's shapes and in those of Phi-4-mini."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from phicli.errors import UsageError
from phicli.tools.reading import tool_of, unique
from phicli.training_data.decoding import value_of

Add = Callable[[str, str, str], None]
_CALL_KEYS: Final = frozenset({"id", "type", "function", "index"})
_FUNCTION_KEYS: Final = frozenset({"name", "arguments"})


def declarations_in(tools: Any) -> Any:
    """The list of declarations, which Phi-4-mini's model card has as text inside the system message.

    Raises:
        ValueError: the text is not JSON.
    """
    return value_of(tools) if isinstance(tools, str) else tools


def check_declarations(tools: Any, place: str, add: Add, *, own_shapes: bool) -> frozenset[str]:
    """Report what is not a declaration; returns the names of the tools.

    Args:
        tools: what stands under ``tools``.
        place: where it is.
        add: takes what is found.
        own_shapes: whether they may be in the shape of Phi-4-mini's model card, or text.
    """
    try:
        given = declarations_in(tools) if own_shapes else tools
    except ValueError:
        add("tools", place, "the declarations of tools are not JSON")
        return frozenset()
    if type(given) is not list or not given:
        add("tools", place, "the declarations of tools are not a list with at least one of them")
        return frozenset()
    read = []
    for number, one in enumerate(given):
        where = f"{place}[{number}]"
        if not own_shapes and not (type(one) is dict and one.get("type") == "function" and "function" in one):
            add("tools", where, 'a tool must be {"type": "function", "function": {"name": …, "parameters": …}}')
            continue
        try:
            read.append((place, tool_of(one, "the declaration")))
        except UsageError as error:
            add("tools", where, error.message)
    try:
        unique(read)
    except UsageError as error:
        add("tools", place, error.message)
    return frozenset(tool.name for _, tool in read)


class OpenCalls:
    """The calls of an answer whose results have not come yet.

    Args:
        full: who requires that calls have all keys of OpenAI's shape; empty for nobody.
    """

    def __init__(self, full: str = "") -> None:
        self._full = full
        self._waiting: list[tuple[str | None, str]] = []
        self.called: list[tuple[str, str]] = []
        """The name of each function that was called, and the place of its call."""

    def open(self, message: Mapping[str, Any], place: str, add: Add) -> None:
        """Take the calls of an answer, and report what is not a call."""
        self._waiting = []
        given = message.get("tool_calls")
        if given is None:
            if isinstance(message.get("function_call"), dict):
                self._waiting = [(None, str(message["function_call"].get("name")))]
            return
        if type(given) is not list or not given:
            add("tool_call", f"{place}.tool_calls", "tool_calls is not a list with at least one call")
            return
        for number, call in enumerate(given):
            where = f"{place}.tool_calls[{number}]"
            name = _check_call(call, where, add)
            self.called.append((name, where))
            if self._full and (lacks := _lacking(call)):
                add("tool_call", where, f"{self._full} requires {lacks}")
            known = call.get("id") if type(call) is dict else None
            self._waiting.append((known if type(known) is str else None, name))
        ids = [known for known, _ in self._waiting if known is not None]
        if len(set(ids)) < len(ids):
            add("tool_call", f"{place}.tool_calls", "two calls have the same id")

    def answer(self, message: Mapping[str, Any], place: str, add: Add) -> None:
        """Take a result, and report one that belongs to no call."""
        given = message.get("tool_call_id")
        if not self._waiting:
            add("tool_result", place, "a tool result does not follow a tool call")
            return
        if self._full and type(given) is not str and message.get("role") == "tool":
            add("tool_result", place, f"{self._full} requires the id of the call as tool_call_id")
        at = next((n for n, (known, _) in enumerate(self._waiting) if given is None or known in (given, None)), None)
        if at is None:
            add("tool_result", f"{place}.tool_call_id", f"no call has the id {str(given)[:60]!r}")
            return
        del self._waiting[at]

    def require_none(self, place: str, add: Add) -> None:
        """Report calls without a result in front of the message at ``place``."""
        for _, name in self._waiting:
            add("tool_result", place, f"the result of the call of {name} is missing in front of this message")
        self._waiting = []


def _lacking(call: Any) -> str:
    """What a call lacks of OpenAI's shape; empty for nothing, or if it is not a call."""
    function = call.get("function", call) if type(call) is dict else None
    if type(function) is not dict or type(function.get("name")) is not str:
        return ""
    if type(call.get("id")) is not str or not call["id"]:
        return "an id of the call"
    if function is call or call.get("type") != "function":
        return 'a call as {"id": …, "type": "function", "function": {…}}'
    return "" if type(function.get("arguments")) is str else "the arguments as text"


def _check_call(call: Any, place: str, add: Add) -> str:
    """The name of the function that is called."""
    function = call.get("function", call) if type(call) is dict else None
    if type(function) is not dict or type(function.get("name")) is not str or not function["name"]:
        add("tool_call", place, "a tool call has no function with a name")
        return "?"
    known = _CALL_KEYS if function is not call else _CALL_KEYS | _FUNCTION_KEYS
    for key in call:
        if key not in known:
            add("unknown_key", f"{place}.{key}", f"unknown key {key!r} of a tool call")
    arguments = function.get("arguments")
    if type(arguments) is str:
        try:
            arguments = value_of(arguments)
        except ValueError:
            add("tool_call", f"{place}.arguments", "the arguments are not JSON")
            return str(function["name"])
    if type(arguments) is not dict:
        add("tool_call", f"{place}.arguments", "the arguments are not a JSON object")
    return str(function["name"])
