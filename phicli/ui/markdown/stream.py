"""An answer in Markdown, printed while it comes: each call returns the text to append; no printed text moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from phicli.ui.markdown.code import CodeBlock, Highlighter
from phicli.ui.markdown.inline import is_open, parser, spans
from phicli.ui.markdown.styles import Span, painted
from phicli.ui.markdown.tables import laid_out
from phicli.ui.markdown.words import WordWrap, breaks_anywhere
from phicli.ui.terminal import harmless

_MOST_HELD: Final = 300
"""Characters that wait for the end of emphasis or of a link."""
_FENCE: Final = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})")
_LIST: Final = re.compile(r"([-*+]|\d{1,9}[.)])[ \t]+(?=\S)")
_UNDECIDED: Final = re.compile(r"[-*+_=`~ \t]*$|\d{1,9}[.)]?[ \t]*$|>[> ]*$|([-*+]|\d{1,9}[.)])[ \t]+[`~]{1,2}$")
"""Beginnings of lines that say nothing yet about the kind of the line."""
_WHOLE: Final = re.compile(r"[#|]|(([-*+]|\d{1,9}[.)])[ \t]+)?(```|~~~)")
"""Beginnings of lines that are printed when they are complete."""
_INDENTED: Final = re.compile(r" {4}| {0,3}\t")
_QUOTE: Final = re.compile(r"(?:> ?)+")
_HEADINGS: Final = {"h1": "bold underline"}


class MarkdownStream:
    """Renders an answer for a terminal, whatever pieces it comes in.

    Headings, table rows and code wait for the end of their line, tables for their last row; other text is printed by
    word. The output has control sequences, so it goes to ``Terminal.paint``.

    Args:
        width: returns the columns of the terminal; asked once for each line of the answer.
    """

    def __init__(self, width: Callable[[], int], *, colour: bool) -> None:
        self._width, self._colour = width, colour
        self._line = ""  # what waits of the current line
        self._is_whole = False  # the current line is printed when it is complete
        self._words: WordWrap | None = None  # the current line is printed by word
        self._table: list[str] = []
        self._in_list = False
        self._fence = ""  # of the open code block
        self._indent = 0
        self._language = ""
        self._code: list[str] = []
        self._highlighter: Highlighter | None = None
        self._blocks: list[CodeBlock] = []

    @property
    def code_blocks(self) -> tuple[CodeBlock, ...]:
        """The code blocks that are complete; block N is printed with the number N."""
        return tuple(self._blocks)

    def feed(self, text: str) -> str:
        """Take the next text; return what to append now."""
        return "".join(map(self._letter, harmless(text)))

    def finish(self) -> str:
        """Return the rest. Printed text then ends with the end of a line."""
        ready = self._end_line() if self._line or self._words else ""
        ready += self._end_table()
        if self._fence:
            self._end_code()
        return ready

    def _letter(self, letter: str) -> str:
        if letter == "\n":
            return self._end_line()
        self._line += letter
        if self._fence:
            return ""
        if self._words is None:
            return self._begin()
        if letter in " \t":
            return self._grow(self._words)
        if breaks_anywhere(letter):  # it waits for the marks that belong to it
            self._line = self._line[:-1]
            ready = self._grow(self._words)
            self._line += letter
            return ready
        return self._grow(self._words) if len(self._line) >= _MOST_HELD else ""

    def _begin(self) -> str:
        """Decide the kind of the line as soon as its beginning says it."""
        if self._is_whole:
            return ""
        if len(self._line) > _MOST_HELD and self._line.isspace():
            self._is_whole = True  # looked at once more when it is complete
            return ""
        body = self._line.lstrip(" \t")
        self._is_whole = bool(body) and (bool(_WHOLE.match(body)) or self._is_indented(self._line))
        if not body or self._is_whole or (len(body) < _MOST_HELD and _UNDECIDED.match(body)):
            return ""
        return self._start_words() + (self._grow(self._words) if self._words and body[-1] in " \t" else "")

    def _start_words(self) -> str:
        """Print the mark of the line; what follows it is printed by word."""
        ready = self._end_table()
        body = self._line.lstrip(" \t")
        indent = self._line[: len(self._line) - len(body)].replace("\t", "    ")
        width = max(self._width(), 1)
        if len(indent) > width // 2:
            indent = indent[: width // 2]
        mark = ""
        if quote := _QUOTE.match(body):
            mark, body = "▌ " * quote[0].count(">"), body[quote.end() :]
            hanging = indent + mark
        elif item := _LIST.match(body):
            mark, body = ("•" if item[1] in "-*+" else item[1]) + " ", body[item.end() :]
            hanging = indent + " " * len(mark)
            self._in_list = True
        else:
            hanging, self._in_list = indent, self._in_list and bool(indent)
        self._line = body
        self._words = WordWrap(width, indent + mark, hanging, colour=self._colour)
        return ready + self._words.add(())

    def _grow(self, words: WordWrap) -> str:
        """Print what waits, if no emphasis or link in it may still be open."""
        if len(self._line) < _MOST_HELD and is_open(self._line):
            return ""
        text, self._line = self._line, ""
        return words.add(spans(text))

    def _end_line(self) -> str:
        self._is_whole = False
        if self._fence:
            line, self._line = self._line, ""
            return self._code_line(line)
        if self._words is not None:
            ready = self._words.add(spans(self._line)) + "\n"
            self._line, self._words = "", None
            return ready
        line = self._line
        if line.lstrip().startswith("|"):
            self._table.append(line)
            self._line = ""
            return ""
        return self._end_table() + self._whole_line(line)

    def _whole_line(self, line: str) -> str:
        """A blank line, a heading, a ruler, the beginning of a code block, or indented code."""
        self._line = ""
        body = line.strip(" \t")
        if not body:
            return "\n"
        item = _LIST.match(body)
        start = body[item.end() :] if item else body
        if fence := _FENCE.match(start):
            return (f"{line[: line.index(body)]}{item[1]}\n" if item else "") + self._begin_code(line, fence, start)
        kind = next(iter(parser().parse(body)), None)
        if kind is not None and kind.type == "heading_open":
            self._in_list = False
            return self._styled(body.lstrip("#").strip(" \t"), _HEADINGS.get(kind.tag, "bold"))
        if kind is not None and kind.type == "hr":
            return painted("─" * min(self._width(), 40), "dim", colour=self._colour) + "\n"
        if self._is_indented(line):
            return f"{line}\n"
        self._line = line
        ready = self._start_words()
        return ready + self._end_line()

    def _is_indented(self, line: str) -> bool:
        return not self._in_list and _INDENTED.match(line) is not None

    def _styled(self, text: str, style: str) -> str:
        words = WordWrap(max(self._width(), 1), "", "", colour=self._colour)
        return words.add(Span(span.text, f"{style} {span.style}".strip()) for span in spans(text)) + "\n"

    def _begin_code(self, line: str, fence: re.Match[str], start: str) -> str:
        self._fence, info = fence[0], start[fence.end() :].strip()
        self._indent = line.index(start)
        self._language = info.split()[0] if info else ""
        self._highlighter = Highlighter(self._language) if self._colour else None
        label = f"[{len(self._blocks) + 1}] {info}".rstrip()
        return painted(label, "dim", colour=self._colour) + "\n"

    def _code_line(self, line: str) -> str:
        mark = line.strip(" \t")
        if len(mark) >= len(self._fence) and not mark.strip(self._fence[0]):
            self._end_code()
            return ""
        drop = min(self._indent, len(line) - len(line.lstrip(" \t")))
        text = line[drop:]
        self._code.append(text)
        if self._highlighter is None:
            return f"{text}\n"
        parts = self._highlighter.line(text)
        return "".join(painted(span.text, span.style, colour=self._colour) for span in parts) + "\n"

    def _end_code(self) -> None:
        self._blocks.append(CodeBlock(self._language, "".join(f"{line}\n" for line in self._code)))
        self._fence, self._code, self._highlighter = "", [], None

    def _end_table(self) -> str:
        if not self._table:
            return ""
        lines, self._table = self._table, []
        source = "".join(f"{line}\n" for line in lines)
        if (table := laid_out(source, self._width(), colour=self._colour)) is not None:
            return table
        return "".join(self._styled(line, "") for line in lines)


def code_blocks(text: str) -> tuple[CodeBlock, ...]:
    """The code blocks of an answer that is complete, numbered as they are printed."""
    stream = MarkdownStream(lambda: 80, colour=False)
    stream.feed(text)
    stream.finish()
    return stream.code_blocks
