"""An answer in Markdown, printed while it comes: each call returns the text to append; no printed text moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from phicli.ui.markdown.code import CodeBlock, Highlighter
from phicli.ui.markdown.inline import OpenMarks, parser, spans
from phicli.ui.markdown.styles import Span, painted
from phicli.ui.markdown.tables import laid_out
from phicli.ui.markdown.words import WordWrap, breaks_anywhere
from phicli.ui.terminal import harmless

_MOST_HELD: Final = 300
"""Characters that wait for the end of emphasis or of a link."""
_FENCE: Final = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})")
_ITEM: Final = r"([-*+]|\d{1,9}[.)])[ \t]+"
_LIST: Final = re.compile(rf"{_ITEM}(?=\S)")
_UNDECIDED: Final = re.compile(
    rf"[-*+_=`~$\\ \t]*$|\d{{1,9}}[.)]?[ \t]*$|>[> ]*([-*+]|\d{{1,9}}[.)]?|[`~]{{1,2}})?[ \t]*$|{_ITEM}[`~]{{1,2}}$"
)
"""Beginnings of lines that say nothing yet about the kind of the line."""
_WHOLE: Final = re.compile(rf"#|({_ITEM})?(```|~~~|\|)|>[> ]*(```|~~~)|\\\[|\$\$")
"""Beginnings of lines that are printed when they are complete."""
_LATEX: Final = {"\\[": "\\]", "$$": "$$"}
"""What begins a formula of several lines, and what ends it; a blank line ends it too."""
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
        self._marks = OpenMarks()  # in what waits of a line that is printed by word
        self._raw_end = ""  # the end of the formula or of the quoted code whose lines are printed as they are
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
            ready = self._grow(self._words, letter)
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
        self._is_whole = bool(body) and (
            bool(self._raw_end) or bool(_WHOLE.match(body)) or self._is_indented(self._line)
        )
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
        quote, item = _QUOTE.match(body), None
        if quote:
            body = body[quote.end() :]
            indent += _bars(quote[0], width)
        mark = ""
        if item := _LIST.match(body):
            mark, body = f"{_bullet(item[1])} ", body[item.end() :]
        self._in_list = not quote and (bool(item) or (self._in_list and bool(indent)))
        self._line, self._marks = body, OpenMarks()
        self._words = WordWrap(width, indent + mark, indent + " " * len(mark), colour=self._colour)
        return ready + self._words.add(())

    def _grow(self, words: WordWrap, following: str = "") -> str:
        """Print what waits, if no emphasis or link in it may still be open; ``following`` waits for the next call."""
        if len(self._line) < _MOST_HELD and self._marks.are_in(self._line + following):
            return ""
        text, self._line, self._marks = self._line, "", OpenMarks()
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
        if not self._raw_end and line.lstrip(" \t").startswith("|"):
            self._table.append(line)
            self._line = ""
            return ""
        return self._end_table() + self._whole_line(line)

    def _whole_line(self, line: str) -> str:
        """A line that is neither printed by word nor a row of a table."""
        self._line = ""
        body = line.strip(" \t")
        if self._raw_end and (ready := self._raw_line(line, body)) is not None:
            return ready
        if not body:
            return "\n"
        item = _LIST.match(body)
        start = body[item.end() :] if item else body
        mark = f"{line[: line.index(body)]}{_bullet(item[1])}\n" if item else ""
        if fence := _FENCE.match(start):
            self._in_list = self._in_list or bool(item)
            return mark + self._begin_code(line, fence, start)
        if item and start[0] == "|":
            self._in_list = True
            self._table.append(" " * line.index(start) + start)
            return mark
        return self._block(line, body) or self._by_word(line)

    def _block(self, line: str, body: str) -> str:
        """A heading, a ruler, indented code, or the beginning of a formula or of quoted code; else nothing."""
        tokens = parser().parse(body)
        if tokens and tokens[0].type == "heading_open":
            self._in_list = False
            return self._styled(tokens[1].content, _HEADINGS.get(tokens[0].tag, "bold"))
        if tokens and tokens[0].type == "hr":
            return painted("─" * min(self._width(), 40), "dim", colour=self._colour) + "\n"
        if self._is_indented(line):
            return f"{line}\n"
        quote = _QUOTE.match(body)
        end = _LATEX.get(body[:2], "")
        if quote and (fence := _FENCE.match(body[quote.end() :])):
            end = fence[0]
        elif not end or end in body[2:]:
            return ""
        self._raw_end = end
        return self._raw(line, body)

    def _by_word(self, line: str) -> str:
        self._line = line
        ready = self._start_words()
        return ready + self._end_line()

    def _raw_line(self, line: str, body: str) -> str | None:
        """The next line of a formula or of quoted code; None where ``line`` is behind it."""
        is_code = self._raw_end[0] in "`~"
        if not body or (is_code and body[0] != ">"):
            self._raw_end = ""
            return None
        text = body.lstrip("> ") if is_code else body
        if text.startswith(self._raw_end) if is_code else self._raw_end in text:
            self._raw_end = ""
        return self._raw(line, body)

    def _raw(self, line: str, body: str) -> str:
        """A line whose marks are not those of Markdown."""
        if quote := _QUOTE.match(body):
            return f"{_bars(quote[0], self._width())}{body[quote.end() :]}\n"
        return WordWrap(max(self._width(), 1), "", "", colour=self._colour).add((Span(line),)) + "\n"

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
        if (table := laid_out(lines, self._width(), colour=self._colour)) is not None:
            return table
        return "".join(self._styled(line, "") for line in lines)


def _bullet(mark: str) -> str:
    """What stands for the mark of a list."""
    return "•" if mark in "-*+" else mark


def _bars(quote: str, width: int) -> str:
    """What stands for the marks of a quotation."""
    return "▌ " * min(quote.count(">"), width // 4)


def code_blocks(text: str) -> tuple[CodeBlock, ...]:
    """The code blocks of an answer that is complete, numbered as they are printed."""
    stream = MarkdownStream(lambda: 80, colour=False)
    stream.feed(text)
    stream.finish()
    return stream.code_blocks
