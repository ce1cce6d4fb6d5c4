"""Tool calls of a stream, put together out of their parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from phicli.chat_format.call_json import parse_calls
from phicli.chat_format.tool_calls import OPEN
from phicli.chat_format.types import ToolCall
from phicli.engine.endpoint.deltas import CallPart


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
    try:
        arguments = json.loads(call.arguments or "{}")
        if isinstance(arguments, str):  # encoded twice
            arguments = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        arguments = _as_python(call)
    arguments = {} if arguments is None else arguments
    return ToolCall(call.name, arguments) if call.name and isinstance(arguments, dict) else None


def _as_python(call: _Call) -> object:
    """Arguments with the quotes of Python, which some models write; ``...`` for none that can be read."""
    text = f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}'
    calls = parse_calls(text, strict=True)
    return dict(calls[0].arguments) if len(calls) == 1 else ...
