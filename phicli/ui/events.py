"""``phi chat --events``: what happens while a model answers, one JSON object per line on standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from phicli.answering.types import Answer, Event, Notice
from phicli.chat_format.types import Piece
from phicli.engine.types import Prefill
from phicli.ui.answer import call_data
from phicli.ui.envelope import json_line
from phicli.ui.terminal import Terminal


def print_events(
    terminal: Terminal, start: Mapping[str, Any], events: Iterable[Event], data: Callable[[], Mapping[str, Any]]
) -> Answer | None:
    """Print a line for each event of an answer as it comes; returns the answer.

    Args:
        terminal: where to.
        start: what is known before the model is asked.
        events: of the answer.
        data: everything about the answer, when it is complete or interrupted.
    """

    def line(event: str, values: Mapping[str, Any]) -> None:
        terminal.write(json_line(terminal, {"event": event, **values}))

    answer: Answer | None = None
    line("start", start)
    try:
        for event in events:
            if isinstance(event, Prefill):
                line("prefill", {"processed": event.processed, "total": event.total, "cached": event.cached})
            elif isinstance(event, Piece):
                line(event.kind, {"text": event.text})
            elif isinstance(event, Notice):
                line("notice", {"text": event.text})
            elif isinstance(event, Answer):
                answer = event
    except KeyboardInterrupt:
        line("done", data())
        raise
    for call in answer.tool_calls if answer is not None else ():
        line("tool_call", call_data(call))
    line("done", data())
    return answer
