"""Styled text that grows, wrapped at words; what was printed never moves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from phicli.ui.markdown.styles import Span, painted
from phicli.ui.wrapping import cells

_PIECE: Final = re.compile(r"[ \t]+|\n|[^ \t\n]+")


def breaks_anywhere(letter: str) -> bool:
    """Whether the letter belongs to a script without spaces, in which a line may end at any letter."""
    return not letter.isascii() and unicodedata.category(letter) == "Lo" and cells(letter) > 1


class WordWrap:
    """One line of the answer, as as many lines of the terminal as it needs.

    Args:
        width: columns of the terminal.
        prefix: what is printed in front of the line.
        hanging: what is printed in front of the lines that follow it.
    """

    def __init__(self, width: int, prefix: str, hanging: str, *, colour: bool) -> None:
        self._width, self._hanging, self._colour = width, hanging, colour
        self._prefix = prefix
        self._column = cells(prefix)
        self._empty = True  # nothing stands behind the prefix of this line
        self._gap = ""

    def add(self, spans: Iterable[Span]) -> str:
        """The text to append for ``spans``, which end behind a word."""
        ready, self._prefix = self._prefix, ""
        for word in _words(spans):
            first = word[0].text
            if first == "\n":
                ready += self._next_line()
            elif not first.strip(" \t"):
                self._gap += "".join(span.text for span in word).replace("\t", " ")
            else:
                ready += self._word(word)
        return ready

    def _word(self, word: list[Span]) -> str:
        taken = sum(cells(span.text) for span in word)
        may_break = bool(self._gap) or breaks_anywhere(word[0].text[0])  # else it goes on with a word of the last call
        if may_break and not self._empty and taken and self._column + len(self._gap) + taken > self._width:
            ready = self._next_line()
        else:
            ready, self._column = self._gap, self._column + len(self._gap)
        self._gap, self._empty = "", False
        self._column += taken
        return ready + "".join(painted(span.text, span.style, colour=self._colour) for span in word)

    def _next_line(self) -> str:
        self._gap, self._empty, self._column = "", True, cells(self._hanging)
        return f"\n{self._hanging}"


def _words(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """White space, words, and single letters of scripts without spaces; a word may have several styles."""
    word: list[Span] = []
    for span in spans:
        for piece in _PIECE.findall(span.text):
            if not piece.strip(" \t\n"):
                if word:
                    yield word
                yield [Span(piece)]
                word = []
                continue
            for part in _parts(piece):
                if word and breaks_anywhere(part[0]):
                    yield word
                    word = []
                word.append(Span(part, span.style))
    if word:
        yield word


def _parts(text: str) -> Iterator[str]:
    """``text`` cut in front of every letter that may begin a line."""
    if text.isascii():
        yield text
        return
    start = 0
    for place in range(1, len(text)):
        if breaks_anywhere(text[place]):
            yield text[start:place]
            start = place
    yield text[start:]
