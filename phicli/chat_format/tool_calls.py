"""Tool calls in the answers of Phi-4-mini, in all the shapes it has been seen to write.

1. ``<|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>``, the documented one;
2. ``<|tool_call|>{"name": …}<|/tool_call|>``, one object;
3. ``functools[{…}]``, as vLLM's ``phi4_mini_json`` parser expects it;
4. at the very start of the answer a bare JSON list or object, or one inside a ```` ```json ```` fence.

JSON that does not parse, or is not a call, is shown as the text it is: nothing of an answer is ever lost.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from phicli.chat_format.reasoning import held_back
from phicli.chat_format.types import ToolCall

_OPEN, _CLOSE, _FUNCTOOLS, _FENCE = "<|tool_call|>", "<|/tool_call|>", "functools[", "```"
_MARKERS = (_OPEN, _FUNCTOOLS)
_KEYS = ('"name"', '"arguments"', '"parameters"', '"type"', '"function"', '"id"')
_SPACE = " \t\r\n"
_State = Literal["start", "text", "block", "functools", "fence", "after"]


class ToolCallCollector:
    """Takes tool calls out of a stream of text.

    Held back is only what may be a call: a possible beginning of a marker, a call that is not complete, and at the
    start of the answer JSON that may turn out to be one.
    """

    __slots__ = ("_calls", "_held", "_state")

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._held = ""
        self._state: _State = "start"

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls found so far."""
        return tuple(self._calls)

    def feed(self, text: str) -> str:
        """Take the next text; return what is ordinary text for certain."""
        self._held += text
        shown: list[str] = []
        while True:
            before = self._state, len(self._held)
            shown.append(self._step())
            if before == (self._state, len(self._held)):
                return "".join(shown)

    def finish(self) -> str:
        """Return what was held back and turned out not to be a tool call."""
        held, self._held = self._held, ""
        if self._state == "block":
            return self._take_block(held, closed=False)
        if self._state == "fence":
            return held.strip(_SPACE + "`")
        return held.lstrip() if self._state == "after" else held

    def _step(self) -> str:
        match self._state:
            case "start":
                return self._start()
            case "text":
                return self._text()
            case "block":
                end = _end_of_block(self._held)
                if end is None:
                    return ""
                block, self._held = self._held[:end], self._held[end:]
                return self._take_block(block, closed=True)
            case "functools":
                return self._functools()
            case "fence" | "after":
                return self._after()

    def _start(self) -> str:
        at = _start_of_json(self._held)
        if at is None:
            return ""
        end = end_of_json(self._held, at) if at >= 0 else -1
        if end is None:
            return ""
        calls = parse_calls(self._held[at:end], strict=True) if at >= 0 else []
        if not calls:
            self._state = "text"
            return ""
        self._calls += calls
        self._state = "fence" if self._held.lstrip().startswith(_FENCE) else "after"
        self._held = self._held[end:]
        return ""

    def _text(self) -> str:
        found = [(self._held.index(marker), marker) for marker in _MARKERS if marker in self._held]
        if not found:
            certain = len(self._held) - held_back(self._held, _MARKERS)
            shown, self._held = self._held[:certain], self._held[certain:]
            return shown
        at, marker = min(found)
        shown, self._held = self._held[:at], self._held[at:]
        self._state = "block" if marker == _OPEN else "functools"
        return shown

    def _functools(self) -> str:
        at = len(_FUNCTOOLS) - 1
        end = end_of_json(self._held, at) if _may_be_call(self._held, at) else at
        if end is None:
            return ""
        calls = parse_calls(self._held[at:end], strict=False)
        self._calls += calls
        self._state = "after" if calls else "text"
        cut = end if calls else at
        shown, self._held = ("" if calls else self._held[:cut]), self._held[cut:]
        return shown

    def _take_block(self, block: str, *, closed: bool) -> str:
        inner = block[len(_OPEN) :].removesuffix(_CLOSE) if closed else block[len(_OPEN) :]
        calls = parse_calls(inner, strict=False)
        self._calls += calls
        self._state = "after" if calls else "text"
        return "" if calls else block

    def _after(self) -> str:
        """Drop the white space behind a call, and the fence that closes the one it stood in."""
        self._held = self._held.lstrip()
        if self._state == "fence":
            if len(self._held) < len(_FENCE) and _FENCE.startswith(self._held):
                return ""
            self._held = self._held.removeprefix(_FENCE).lstrip()
            self._state = "after"
        if self._held:
            self._state = "text"
        return ""


def parse_calls(text: str, *, strict: bool) -> list[ToolCall]:
    """The calls that ``text`` consists of; none when any part of it is something else.

    Args:
        text: one or more JSON values, each a call or a list of calls, with white space or commas between.
        strict: a call must have arguments; outside of markers an object with only a name is not a call.
    """
    decoder, at, calls = json.JSONDecoder(), 0, list[ToolCall]()
    while (at := _skip(text, at, _SPACE + ",")) < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            return []
        for item in value if isinstance(value, list) else [value]:
            call = _as_call(item, strict=strict)
            if call is None:
                return []
            calls.append(call)
    return calls


def end_of_json(text: str, at: int) -> int | None:
    """Where the JSON list or object that starts at ``at`` ends; None when it does not end in ``text``."""
    depth, quoted, escaped = 0, False, False
    for index in range(at, len(text)):
        character = text[index]
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
            if depth <= 0:
                return index + 1
    return None


def _end_of_block(text: str) -> int | None:
    quoted = escaped = False
    for index, character in enumerate(text):
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character == "<" and text.startswith(_CLOSE, index):
            return index + len(_CLOSE)
    return None


def _start_of_json(text: str) -> int | None:
    """Where JSON that may be a call starts; -1 when the answer starts otherwise, None when that is open."""
    at = _skip(text, 0, _SPACE)
    rest = text[at:]
    fence = f"{_FENCE}json"
    if fence.startswith(rest):
        return None
    if rest.startswith(_FENCE):
        at = _skip(text, at + len(fence if rest.startswith(fence) else _FENCE), _SPACE)
        if at == len(text):
            return None
    if text[at] not in "[{":
        return -1
    return at if _may_be_call(text, at) else -1


def _may_be_call(text: str, at: int) -> bool:
    """Whether the JSON at ``at`` is a list of objects or an object whose first key is one that calls have."""
    if text[at] == "[":
        at = _skip(text, at + 1, _SPACE)
        if at == len(text) or text[at] != "{":
            return at == len(text)
    rest = text[_skip(text, at + 1, _SPACE) :]
    return any(key.startswith(rest) or rest.startswith(key) for key in _KEYS)


def _skip(text: str, at: int, characters: str) -> int:
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def _as_call(item: Any, *, strict: bool) -> ToolCall | None:
    if isinstance(item, dict) and isinstance(item.get("function"), dict):
        item = item["function"]
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    arguments = item.get("arguments", item.get("parameters", None if strict else {}))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (json.JSONDecodeError, RecursionError):
            return None
    return ToolCall(item["name"], arguments) if isinstance(arguments, dict) else None
