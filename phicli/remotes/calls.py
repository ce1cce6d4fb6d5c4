"""Tool calls of a stream, put together out of their parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phicli.chat_format.call_json import parse_calls
from phicli.chat_format.tool_calls import OPEN
from phicli.chat_format.types import ToolCall
from phicli.engine.endpoint.deltas import CallPart

_NO_ARGUMENTS: Final = ("", "null")


@dataclass(slots=True)
class _Call:
    index: int
    call_id: str
    name: str = ""
    arguments: str = ""


class CallsDraft:
    """Takes parts of calls in the order in which they come.

    A part belongs to the last call with its index. A part with another id begins another call: some servers number all
    calls with 0.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, parts: Sequence[CallPart]) -> None:
        """Take the next parts."""
        for part in parts:
            call = next((known for known in reversed(self._calls) if known.index == part.index), None)
            if call is None or (part.call_id and call.call_id and part.call_id != call.call_id):
                call = _Call(part.index, part.call_id)
                self._calls.append(call)
            call.call_id = call.call_id or part.call_id
            if part.name != call.name:  # some servers send the whole name with every part
                call.name += part.name
            call.arguments += part.arguments

    def finish(self) -> tuple[tuple[ToolCall, ...], str]:
        """The calls that can be read, and the others as the text that a model writes for a call; empty for none."""
        read: list[ToolCall] = []
        broken: list[str] = []
        for call in self._calls:
            found = _read(call)
            if found is None:
                broken.append(f'{OPEN}[{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}]')
            else:
                read.append(found)
        return tuple(read), "".join(broken)


def _read(call: _Call) -> ToolCall | None:
    """The call with its arguments: JSON, JSON as a string, or the quotes of Python, which some models write."""
    if not call.name:
        return None
    if call.arguments.strip() in _NO_ARGUMENTS:
        return ToolCall(call.name, {})
    found = parse_calls(f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}', strict=True)
    return found[0] if len(found) == 1 and found[0].name == call.name else None
