"""``<think>…</think>``: the reasoning in front of an answer, split off while it streams."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.chat_format.types import Piece, Segment, Template

OPEN, CLOSE = "<think>", "</think>"


def held_back(text: str, markers: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of one of ``markers``."""
    longest = max(map(len, markers)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(marker.startswith(tail) for marker in markers):
            return length
    return 0


def opens_reasoning(segments: Sequence[Segment]) -> bool:
    """Whether a prompt ends inside reasoning, as the templates of some models do (``…<think>\\n``)."""
    last = segments[-1] if segments else None
    return isinstance(last, Template) and last.text.rstrip().endswith(OPEN)


class ReasoningSplitter:
    """Splits a stream into reasoning and text.

    The first ``<think>`` opens the reasoning, the next ``</think>`` closes it for good; white space after either tag,
    and in front of the first, is dropped. Text in front of ``<think>`` is text. A stream that ends inside is all
    reasoning.

    Args:
        inside: the prompt has opened the reasoning already.
    """

    __slots__ = ("_held", "_kind", "_tag", "_trim")

    def __init__(self, *, inside: bool = False) -> None:
        self._kind: str = "reasoning" if inside else "text"
        self._tag: str | None = CLOSE if inside else OPEN
        self._trim = True
        self._held = ""

    def feed(self, text: str) -> list[Piece]:
        """Take the next text; return all that can no longer be part of a tag."""
        self._held += text
        pieces: list[Piece] = []
        while self._tag is not None and self._tag in self._held:
            before, self._held = self._held.split(self._tag, 1)
            pieces += self._emit(before, closing=True)
            self._kind, self._tag = ("reasoning", CLOSE) if self._tag == OPEN else ("text", None)
            self._trim = True
        keep = held_back(self._held, [self._tag]) if self._tag is not None else 0
        certain = len(self._held) - keep
        ready, self._held = self._held[:certain], self._held[certain:]
        return pieces + self._emit(ready)

    def finish(self) -> list[Piece]:
        """Return what was held back."""
        rest, self._held = self._held, ""
        return self._emit(rest)

    def _emit(self, text: str, *, closing: bool = False) -> list[Piece]:
        if self._trim:
            text = text.lstrip()
            self._trim = not text and not closing
        if not text:
            return []
        return [Piece("reasoning" if self._kind == "reasoning" else "text", text)]
