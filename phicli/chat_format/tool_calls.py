"""Tool calls in the answers of Phi-4-mini, in all the shapes it has been seen to write.

1. ``<|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>``, the documented one;
2. ``<|tool_call|>{"name": …}<|/tool_call|>``, one object, or several;
3. ``functools[{…}]``, as vLLM's ``phi4_mini_json`` parser expects it, with or without a space;
4. at the very start of the answer bare JSON, or JSON inside a ```` ```json ```` fence.

Each may be ``{"tool_calls": […]}``, and may be a Python literal with single quotes. A marker inside a code block or
between backticks is text, unless the model generated it as one token. JSON that does not parse, or is not a call, is
shown as the text it is: nothing of an answer is ever lost.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from phicli.chat_format.call_json import SPACE, JsonEnd, may_be_call, parse_calls, skip
from phicli.chat_format.code_blocks import CodeBlocks
from phicli.chat_format.reasoning import held_back
from phicli.chat_format.types import ToolCall

OPEN: Final = "<|tool_call|>"
CLOSE: Final = "<|/tool_call|>"
_FUNCTOOLS, _FENCE = "functools", "```"
_BEGINNINGS: Final = (OPEN, f"{_FUNCTOOLS}[", f"{_FUNCTOOLS} [")
_MARKER: Final = re.compile("|".join(map(re.escape, _BEGINNINGS)))
_MARKER_OR_END: Final = re.compile("|".join(map(re.escape, (*_BEGINNINGS, CLOSE))))
_TICKS: Final = re.compile("`+")
_MOST_BROKEN: Final = 8
"""Behind so many markers without a call all is text: each may have been looked through to the end of the answer."""
_State = Literal["start", "text", "block", "functools", "more"]
_Around = Literal["nothing", "fence", "block"]


def has_broken_call(text: str) -> bool:
    """Whether ``text`` has the marker of a call, and what follows it is not a call that can be read."""
    collector = ToolCallCollector()
    collector.feed(text)
    collector.finish()
    return collector.broken


class ToolCallCollector:
    """Takes tool calls out of a stream of text; how the stream is cut does not matter.

    Held back is only what may be a call: a possible beginning of a marker, a call that is not complete, and at the
    start of the answer JSON that may turn out to be one.
    """

    __slots__ = ("_around", "_blocks", "_broken", "_calls", "_end", "_held", "_state", "_tick", "_ticks", "_unclosed")

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._held = ""
        self._state: _State = "start"
        self._around: _Around = "nothing"
        self._unclosed = False
        self._end = JsonEnd()
        self._blocks = CodeBlocks()
        self._ticks, self._tick = 0, False  # runs of backticks in the last line, and whether one ends it
        self._broken = 0

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls found so far."""
        return tuple(self._calls)

    @property
    def broken(self) -> bool:
        """Whether a marker came that no call follows."""
        return self._broken > 0

    @property
    def waiting(self) -> bool:
        """Whether text waits until it is known whether it is a call."""
        return bool(self._held) and self._state != "text"

    def feed(self, text: str) -> str:
        """Take the next text; return what is ordinary text for certain."""
        self._held += text
        return self._steps(ended=False)

    def open_block(self) -> str:
        """Take the marker that begins a call, generated as one token: so it is one wherever it stands, also in code."""
        shown = self._steps(ended=True)
        shown += self._show(len(self._held))
        self._held, self._state, self._end, self._unclosed = OPEN, "block", JsonEnd(), False
        return shown

    def finish(self) -> str:
        """Return what was held back and turned out not to be a tool call."""
        return self._steps(ended=True)

    def _steps(self, *, ended: bool) -> str:
        shown: list[str] = []
        while True:
            before = self._state, len(self._held)
            shown.append(self._step(ended=ended))
            if before == (self._state, len(self._held)):
                return "".join(shown)

    def _step(self, *, ended: bool) -> str:
        match self._state:
            case "start":
                return self._start(ended=ended)
            case "text":
                return self._text(ended=ended)
            case "block":
                return self._block(ended=ended)
            case "functools":
                return self._functools(ended=ended)
            case "more":
                return self._more(ended=ended)

    def _start(self, *, ended: bool) -> str:
        at = _start_of_json(self._held)
        if at is None and not ended:
            return ""
        found = self._take_json(at, strict=True, ended=ended) if at is not None and at >= 0 else False
        if found:
            self._go_on("fence" if self._held[:at].strip() else "nothing", found)
        elif found is False:
            self._state = "text"
        return ""

    def _text(self, *, ended: bool) -> str:
        markers = (*_BEGINNINGS, CLOSE) if self._unclosed else _BEGINNINGS
        if self._broken == _MOST_BROKEN:
            return self._show(len(self._held))
        found = (_MARKER_OR_END if self._unclosed else _MARKER).search(self._held)
        if found is None:
            return self._show(len(self._held) - (0 if ended else held_back(self._held, markers)))
        shown = self._show(found.start())
        if found[0] == CLOSE:
            self._held, self._unclosed = self._held[len(CLOSE) :], False
        elif self._blocks.inside or self._ticks % 2:
            return shown + self._show(len(found[0]))
        else:
            self._state, self._unclosed = ("block" if found[0] == OPEN else "functools"), False
            self._end = JsonEnd()  # what was looked at before was no call
        return shown

    def _block(self, *, ended: bool) -> str:
        at = skip(self._held, len(OPEN), SPACE)
        if at == len(self._held) and not ended:
            return ""
        is_json = self._held[at : at + 1] in ("[", "{")
        found = self._take_json(at, strict=False, ended=ended) if is_json else False
        if found:
            self._go_on("block", found)
            return ""
        return "" if found is None else self._is_text(at if is_json else len(OPEN))

    def _functools(self, *, ended: bool) -> str:
        at = self._held.index("[")
        found = self._take_json(at, strict=False, ended=ended) if may_be_call(self._held, at) else False
        if found:
            self._go_on("nothing", found)
            return ""
        if found is None:
            return ""
        self._state = "text"
        return self._show(at + 1)

    def _more(self, *, ended: bool) -> str:
        """What follows a call: what closes it, another call, or text, without the white space between."""
        self._held = self._held.lstrip(SPACE)
        closing = {"block": CLOSE, "fence": _FENCE, "nothing": ""}[self._around]
        if closing and self._held.startswith(closing):
            self._held, self._around = self._held[len(closing) :], "nothing"
            return ""
        if closing and closing.startswith(self._held):
            self._held = self._held if not ended else ""
            return ""
        at = skip(self._held, 0, SPACE + ",;")
        if at == len(self._held) and not ended:
            return ""
        found: int | bool | None = False
        if self._held[at : at + 1] in ("[", "{") and may_be_call(self._held, at):
            found = self._take_json(at, strict=self._around != "block", ended=ended)
        if found:
            self._go_on(self._around, found)
        elif found is False:
            self._unclosed = self._around == "block"
            self._state = "text"
        return ""

    def _take_json(self, at: int, *, strict: bool, ended: bool) -> int | Literal[False] | None:
        """Take the calls in the JSON at ``at``; returns where it ends, False for none, None while that is open."""
        end = self._end.find(self._held, at)
        if end is None and not ended:
            return None
        self._end = JsonEnd()
        calls = [] if end is None else parse_calls(self._held[at:end], strict=strict)
        self._calls += calls
        return end if calls and end is not None else False

    def _go_on(self, around: _Around, end: int) -> None:
        self._held, self._state, self._around = self._held[end:], "more", around

    def _is_text(self, at: int) -> str:
        """Show a marker without a call as far as ``at``: the JSON there is looked at again, as text."""
        self._state, self._broken = "text", self._broken + 1
        return self._show(at)

    def _show(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        self._blocks.feed(shown)
        _, newline, last = shown.rpartition("\n")
        if newline:
            self._ticks, self._tick = 0, False
        if last:
            self._ticks += len(_TICKS.findall(last)) - (self._tick and last[0] == "`")
            self._tick = last[-1] == "`"
        return shown


def _start_of_json(text: str) -> int | None:
    """Where JSON that may be a call starts; -1 when the answer starts otherwise, None when that is open."""
    at = skip(text, 0, SPACE)
    rest = text[at:]
    fence = f"{_FENCE}json"
    if fence.startswith(rest):
        return None
    if rest.startswith(_FENCE):
        at = skip(text, at + len(fence if rest.startswith(fence) else _FENCE), SPACE)
        if at == len(text):
            return None
    if text[at] not in "[{":
        return -1
    return at if may_be_call(text, at) else -1
