"""The answer as it streams: reasoning, text and tool calls taken apart."""

from __future__ import annotations

from phicli.chat_format.reasoning import ReasoningSplitter
from phicli.chat_format.tool_calls import OPEN, ToolCallCollector
from phicli.chat_format.types import Piece, ToolCall


class AnswerReader:
    """The parser of every format; what a format lacks is switched off and costs nothing.

    Args:
        reasoning: split off ``<think>…</think>``.
        always_reasons: the model reasons before each answer, whether its tags are complete or not.
        tools: collect tool calls.
        inside_reasoning: the prompt has opened the reasoning already.
        drop_leading_space: the answer continues a line such as ``Output:`` and starts with a space.
    """

    __slots__ = ("_collector", "_splitter", "_trim")

    def __init__(
        self,
        *,
        reasoning: bool = False,
        always_reasons: bool = False,
        tools: bool = False,
        inside_reasoning: bool = False,
        drop_leading_space: bool = False,
    ) -> None:
        wanted = reasoning or always_reasons or inside_reasoning
        self._splitter = ReasoningSplitter(inside=inside_reasoning, expected=always_reasons) if wanted else None
        self._collector = ToolCallCollector() if tools else None
        self._trim = drop_leading_space

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls found so far; complete after ``finish``."""
        return self._collector.tool_calls if self._collector else ()

    @property
    def waiting(self) -> bool:
        """Whether text waits until it is known whether it is reasoning, or a tool call."""
        reasoning = self._splitter is not None and self._splitter.waiting
        return reasoning or (self._collector is not None and self._collector.waiting)

    @property
    def inside_reasoning(self) -> bool:
        """Whether reasoning goes on for certain: no tag that may end it has come or begun."""
        return self._splitter is not None and self._splitter.inside

    @property
    def expects_reasoning(self) -> bool:
        """Whether the model reasons before each answer, and nothing has come yet."""
        return self._splitter is not None and self._splitter.expects_reasoning

    @property
    def may_reason(self) -> bool:
        """Whether what comes next may be reasoning."""
        return self._splitter is not None

    @property
    def reasoning_over(self) -> bool:
        """Whether the reasoning ends with the tag that came last, and nothing of the answer has come yet."""
        return self._splitter is not None and self._splitter.at_end

    def take_as_it_is(self) -> None:
        """What comes from now on is the answer as it is, tags and white space too; it begins here."""
        self._splitter, self._trim = None, False
        self._collector = ToolCallCollector() if self._collector else None

    def is_reasoning(self, at: int) -> bool | None:
        """Whether the character ``at`` this place of the text is reasoning; None where that is not known yet."""
        return False if self._splitter is None else self._splitter.is_reasoning(at)

    def collect_calls(self) -> None:
        """From now on take tool calls out of the text."""
        self._collector = self._collector or ToolCallCollector()

    def end_reasoning(self) -> list[Piece]:
        """End reasoning that goes on, or is expected; what comes next is the answer. Returns what was held back."""
        return [] if self._splitter is None else self._splitter.end_reasoning()

    def feed(self, text: str, *, special: bool = False) -> list[Piece]:
        """Take the next generated text; return what is certain by now."""
        marker = special and text == OPEN
        splitter = self._splitter
        pieces = splitter.feed(text, special=special and not marker) if splitter else [Piece("text", text)]
        if not (marker and self._collector and pieces and pieces[-1].kind == "text" and pieces[-1].text.endswith(OPEN)):
            return [piece for raw in pieces for piece in self._visible(raw)]
        *before, last = pieces
        visible = [
            piece for raw in [*before, Piece("text", last.text.removesuffix(OPEN))] for piece in self._visible(raw)
        ]
        return visible + self._text(self._collector.open_block())

    def finish(self) -> list[Piece]:
        """Return what was held back; call once, after the last ``feed``."""
        held = self._splitter.finish() if self._splitter else []
        pieces = [piece for raw in held for piece in self._visible(raw)]
        if self._collector:
            pieces += self._text(self._collector.finish())
        return pieces

    def _visible(self, piece: Piece) -> list[Piece]:
        if piece.kind == "reasoning":
            return [piece]
        return self._text(self._collector.feed(piece.text) if self._collector else piece.text)

    def _text(self, text: str) -> list[Piece]:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        return [Piece("text", text)] if text else []
