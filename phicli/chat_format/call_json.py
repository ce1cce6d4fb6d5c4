"""The JSON of tool calls, and the Python literals that models write in its place."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from phicli.chat_format.types import ToolCall

SPACE: Final = " \t\r\n"
_KEYS: Final = ("name", "arguments", "parameters", "type", "function", "id", "tool_calls")
_QUOTED_KEYS: Final = tuple(f"{quote}{key}{quote}" for key in _KEYS for quote in "\"'")
_BEFORE_VALUE: Final = "[{(,:"
_DEEPEST: Final = 100
_WORDS: Final = {"true": True, "false": False, "null": None}


class JsonEnd:
    """Finds where a list or object ends in a text that grows; each character is looked at once.

    A ``'`` is a quote only where a Python value can begin: in ``{name: don't}`` it is none.
    """

    __slots__ = ("_before", "_depth", "_escaped", "_next", "_quote")

    def __init__(self) -> None:
        self._next, self._depth, self._quote, self._escaped, self._before = 0, 0, "", False, ""

    def find(self, text: str, at: int) -> int | None:
        """Where the list or object that starts at ``at`` ends; None where it does not end in ``text``.

        Args:
            text: that of the call before, with more behind it.
            at: the same in each call.
        """
        for index in range(max(at, self._next), len(text)):
            if self._closes(text[index]):
                return index + 1
        self._next = max(len(text), at)
        return None

    def _closes(self, character: str) -> bool:
        if self._quote:
            if self._escaped or character != self._quote:
                self._escaped = character == "\\" and not self._escaped
                return False
            self._quote = ""
        elif character == '"' or (character == "'" and self._before in _BEFORE_VALUE):
            self._quote = character
        elif character in "[{":
            self._depth += 1
        elif character in "]}":
            self._depth -= 1
        if character not in SPACE:
            self._before = character
        return self._depth <= 0


def may_be_call(text: str, at: int) -> bool:
    """Whether the JSON at ``at`` is a list of objects or an object whose first key is one that calls have."""
    if text[at] == "[":
        at = skip(text, at + 1, SPACE)
        if at == len(text) or text[at] != "{":
            return at == len(text)
    rest = text[skip(text, at + 1, SPACE) :]
    return any(key.startswith(rest) or rest.startswith(key) for key in _QUOTED_KEYS)


def parse_calls(text: str, *, strict: bool) -> list[ToolCall]:
    """The calls that ``text`` consists of; none when any part of it is something else.

    Args:
        text: one or more values, each a call, a list of calls, or an object with ``tool_calls``, with white space or
            commas between.
        strict: a call must have arguments; outside of markers an object with only a name is not a call.
    """
    try:
        items = [item for value in _values(text) for item in _items(value)]
        return [_as_call(item, strict=strict) for item in items]
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []


def skip(text: str, at: int, characters: str) -> int:
    """The first place from ``at`` on that has none of ``characters``."""
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def _values(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(parse_constant=_refuse), 0
    while (at := skip(text, at, SPACE + ",")) < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            end = JsonEnd().find(text, at)
            value, at = _python_value(text[at:end]), len(text) if end is None else end
        yield value


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list) and "name" not in value:
        value = value["tool_calls"]
    return value if isinstance(value, list) else [value]


def _python_value(text: str) -> Any:
    """The value of a Python literal, in which JSON's words for constants may stand too; nothing is evaluated.

    Raises:
        ValueError, SyntaxError, RecursionError, MemoryError: it is not a literal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\\d" is no escape sequence, which is not for a person to correct
        tree = ast.parse(text, mode="eval")
    return ast.literal_eval(_Words().visit(tree))


class _Words(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node


def _as_call(item: Any, *, strict: bool) -> ToolCall:
    if isinstance(item, dict) and isinstance(item.get("function"), dict):
        item = item["function"]
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise ValueError("not a call")
    arguments = item.get("arguments", item.get("parameters", None if strict else {}))
    if isinstance(arguments, str):
        arguments = json.loads(arguments, parse_constant=_refuse) if arguments.strip() else {}
    if arguments is None and not strict:
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError("the arguments are not an object")
    plain: Mapping[str, Any] = _plain(arguments, 0)
    return ToolCall(_text(item["name"]), plain)


def _plain(value: Any, depth: int) -> Any:
    """``value`` as JSON has it.

    Raises:
        ValueError: JSON has no such value, or it is nested too deeply.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {_text(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and abs(value) < float("inf")):
        return value
    raise ValueError("not a value of JSON")


def _text(value: Any) -> str:
    r"""A string that can be written as UTF-8: half of a surrogate pair (``\ud83d``) becomes U+FFFD."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")
